import { useEffect, useSyncExternalStore } from 'react'
import { useI18n } from '../i18n'
import { Button, IconButton } from './Button'
import { cx } from './cx'
import { AlertIcon, CheckIcon, CloseIcon } from './icons'
import css from './Toast.module.css'

export interface Toast {
  text: string
  /** Default: good. An error stays until it is dismissed. */
  kind?: 'good' | 'bad'
  /** Offers to take it back, for ten seconds. */
  undo?: () => void
}

type Shown = Toast & { id: number }

let shown: Shown[] = []
let said = { text: '', n: 0 }
let next = 1
const listeners = new Set<() => void>()

function changed(): void {
  for (const tell of listeners) tell()
}

/** Shows a line at the lower edge. What a page is about is said in the page; this is for what has left it. */
export function toast(t: Toast): void {
  shown = [...shown.slice(-2), { ...t, id: next++ }]
  changed()
}

/** Tells those who hear the page something that others see. */
export function announce(text: string): void {
  said = { text, n: said.n + 1 }
  changed()
}

function dismiss(id: number): void {
  shown = shown.filter((t) => t.id !== id)
  changed()
}

function useStore<T>(read: () => T): T {
  return useSyncExternalStore((tell) => {
    listeners.add(tell)
    return () => listeners.delete(tell)
  }, read)
}

/** Where toasts appear; stands once, in the frame. */
export function Toasts() {
  const items = useStore(() => shown)
  const heard = useStore(() => said)
  return (
    <>
      <div role="status" className="visually-hidden">
        <span key={heard.n}>{heard.text}</span>
      </div>
      <section className={css.region} aria-live="polite" aria-relevant="additions">
        {items.map((t) => (
          <Line key={t.id} toast={t} />
        ))}
      </section>
    </>
  )
}

function Line({ toast: { id, text, kind = 'good', undo } }: { toast: Shown }) {
  const { t } = useI18n()
  useEffect(() => {
    if (kind === 'bad') return
    const timer = setTimeout(() => dismiss(id), undo ? 10_000 : 5_000)
    return () => clearTimeout(timer)
  }, [id, kind, undo])
  const Glyph = kind === 'bad' ? AlertIcon : CheckIcon
  return (
    <div className={cx(css.toast, css[kind])}>
      <Glyph size={17} aria-hidden />
      <span>{text}</span>
      {undo && (
        <Button
          small
          onClick={() => {
            dismiss(id)
            undo()
          }}
        >
          {t('ui.undo')}
        </Button>
      )}
      <IconButton small icon={CloseIcon} label={t('ui.dismiss')} onClick={() => dismiss(id)} />
    </div>
  )
}
