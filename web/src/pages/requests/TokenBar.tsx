import { type KeyboardEvent, useEffect, useId, useRef, useState } from 'react'
import { useI18n } from '../../i18n'
import { cx } from '../../ui/cx'
import { CloseIcon, SearchIcon } from '../../ui/icons'
import { useShortcuts } from '../../ui/shortcuts'
import css from './Requests.module.css'
import { TokenName } from './TokenNames'
import { parseTokens, put, type Token, writeToken, writeTokens } from './tokens'
import { useSuggestions } from './useSuggestions'

/**
 * The search of requests: conditions as chips, and a line that completes their names and values (WAI-ARIA combobox with a
 * list). Enter adds what is written; the backspace key takes the last one up again.
 */
export function TokenBar({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const { t } = useI18n()
  const tokens = parseTokens(value)
  const [typed, setTyped] = useState('')
  const [open, setOpen] = useState(false)
  const [active, setActive] = useState(-1)
  const input = useRef<HTMLInputElement>(null)
  const list = useRef<HTMLDivElement>(null)
  const id = useId()
  const suggestions = useSuggestions(typed, open)
  useShortcuts({ '/': () => input.current?.focus() })
  useEffect(() => {
    if (active >= 0) list.current?.children[active]?.scrollIntoView({ block: 'nearest' })
  }, [active])

  const set = (next: Token[]) => onChange(writeTokens(next))
  const take = (text: string) => {
    setTyped('')
    setActive(-1)
    set(parseTokens(text).reduce(put, [...tokens]))
  }
  const write = (text: string) => {
    setTyped(text)
    setActive(-1)
    setOpen(true)
  }
  const choose = (i: number) => {
    const s = suggestions[i]
    if (!s) return
    if (s.unfinished) write(s.text)
    else {
      setOpen(false)
      take(s.text)
    }
    input.current?.focus()
  }
  const onKeyDown = (e: KeyboardEvent<HTMLInputElement>) => {
    if (e.nativeEvent.isComposing || e.keyCode === 229) return // Enter and arrows belong to the syllable
    const count = suggestions.length
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') {
      e.preventDefault()
      setOpen(true)
      if (count > 0) setActive((active + (e.key === 'ArrowDown' ? 1 : active < 0 ? 0 : -1) + count) % count)
    } else if (e.key === 'Enter') {
      e.preventDefault()
      if (open && active >= 0) choose(active)
      else if (typed.trim()) {
        setOpen(false)
        take(typed)
      }
    } else if (e.key === 'Tab' && open && active >= 0) {
      e.preventDefault()
      choose(active)
    } else if (e.key === 'Escape' && open) {
      e.preventDefault()
      e.stopPropagation()
      setOpen(false)
      setActive(-1)
    } else if (e.key === 'Backspace' && typed === '' && tokens.length > 0) {
      e.preventDefault()
      const last = tokens.at(-1) as Token
      set(tokens.slice(0, -1))
      write(writeToken(last))
    }
  }
  const shown = open && suggestions.length > 0
  return (
    <search className={css.search}>
      {/* biome-ignore lint/a11y/noStaticElementInteractions: a click beside the chips means the input, which has its own keys */}
      {/* biome-ignore lint/a11y/useKeyWithClickEvents: as above */}
      <div className={css.box} onClick={(e) => e.target === e.currentTarget && input.current?.focus()}>
        <SearchIcon size={16} aria-hidden className={css.glass} />
        {tokens.map((token) => (
          <span key={token.name} className={css.token}>
            {token.name && <span className={css.tokenName}>{token.name}:</span>}
            <span className={cx('truncate', css.tokenValue)} title={token.value}>
              <TokenName token={token} />
            </span>
            <button
              type="button"
              aria-label={t('ui.removeFilter', { name: writeToken(token) })}
              onClick={() => {
                set(tokens.filter((x) => x.name !== token.name))
                input.current?.focus()
              }}
            >
              <CloseIcon size={13} aria-hidden />
            </button>
          </span>
        ))}
        <input
          ref={input}
          role="combobox"
          aria-label={t('requests.searchLabel')}
          aria-expanded={shown}
          aria-controls={shown ? `${id}list` : undefined}
          aria-activedescendant={shown && active >= 0 ? `${id}${active}` : undefined}
          aria-autocomplete="list"
          placeholder={tokens.length === 0 ? t('requests.searchHint') : undefined}
          autoComplete="off"
          spellCheck={false}
          value={typed}
          onChange={(e) => write(e.target.value)}
          onFocus={() => setOpen(true)}
          onBlur={() => {
            setOpen(false)
            setActive(-1)
            if (typed.trim() && !/^\w+:$/.test(typed.trim())) take(typed)
          }}
          onKeyDown={onKeyDown}
        />
        {tokens.length === 0 && typed === '' && <kbd aria-hidden>/</kbd>}
      </div>
      {shown && (
        <div ref={list} id={`${id}list`} role="listbox" aria-label={t('requests.suggestions')} className={css.list}>
          {suggestions.map((s, i) => (
            // biome-ignore lint/a11y/useKeyWithClickEvents: the input has the keys, as the pattern wants it
            <div
              key={s.text}
              id={`${id}${i}`}
              role="option"
              tabIndex={-1}
              aria-selected={i === active}
              className={css.option}
              onMouseDown={(e) => e.preventDefault()}
              onClick={() => choose(i)}
            >
              <code>{s.text}</code>
              <span className="muted truncate">{s.help}</span>
            </div>
          ))}
        </div>
      )}
    </search>
  )
}
