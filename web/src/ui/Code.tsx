import { type ReactNode, useEffect, useState } from 'react'
import { useI18n } from '../i18n'
import { Button, IconButton } from './Button'
import css from './Code.module.css'
import { cx } from './cx'
import { CheckIcon, CopyIcon } from './icons'
import { announce } from './Toast'

/** Puts a text on the clipboard; false where the browser does not let us (a page without TLS on another host). */
export async function toClipboard(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const area = document.createElement('textarea')
    area.value = text
    area.className = 'visually-hidden'
    document.body.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    return done
  }
}

/** Copying with its tick, which stands for two seconds. */
export function useCopy(text: string): { copied: boolean; copy: () => void } {
  const [copied, setCopied] = useState(false)
  const { t } = useI18n()
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 2_000)
    return () => clearTimeout(timer)
  }, [copied])
  return {
    copied,
    copy: () =>
      void toClipboard(text).then((done) => {
        setCopied(done)
        if (done) announce(t('ui.copied'))
      }),
  }
}

/** Copies a text; `what` names it for those who hear the page. */
export function CopyButton({
  text,
  what,
  labelled,
  onCopied,
}: {
  text: string
  what: string
  labelled?: boolean
  onCopied?: () => void
}) {
  const { copied, copy } = useCopy(text)
  const { t } = useI18n()
  const act = () => {
    copy()
    onCopied?.()
  }
  if (labelled) {
    return (
      <Button small icon={copied ? CheckIcon : CopyIcon} onClick={act} aria-label={t('ui.copyOf', { what })}>
        {t(copied ? 'ui.copied' : 'ui.copy')}
      </Button>
    )
  }
  return (
    <IconButton
      small
      icon={copied ? CheckIcon : CopyIcon}
      label={copied ? t('ui.copied') : t('ui.copyOf', { what })}
      onClick={act}
    />
  )
}

/** A backslash at the end of a line takes no room of its own, so that it never stands on a line alone. */
function continued(text: string): ReactNode {
  return text.split(/( \\\n)/).map((part, i) =>
    part === ' \\\n' ? (
      // biome-ignore lint/suspicious/noArrayIndexKey: the parts of one text keep their order
      <span key={i}>
        <span className={css.goesOn}>{' \\'}</span>
        {'\n'}
      </span>
    ) : (
      part
    ),
  )
}

/** Text for machines, as it is, with a button that copies it. */
export function CodeBlock({ text, label, wrap, copy = text }: { text: string; label: string; wrap?: boolean; copy?: string }) {
  return (
    <div className={cx(css.block, wrap && css.wrap)}>
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be within the keyboard's reach */}
      {/* biome-ignore lint/a11y/useSemanticElements: it is no set of fields */}
      <pre tabIndex={0} aria-label={label} role="group">
        <code>{wrap ? continued(text) : text}</code>
      </pre>
      <span className={css.copy}>
        <CopyButton text={copy} what={label} />
      </span>
    </div>
  )
}

/** An id or an address in a line, with a button that copies it. */
export function CopyText({ text, what }: { text: string; what: string }) {
  return (
    <span className={css.text}>
      <code className="truncate" title={text}>
        {text}
      </code>
      <CopyButton text={text} what={what} />
    </span>
  )
}
