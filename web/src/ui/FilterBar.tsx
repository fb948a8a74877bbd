import { type ReactNode, useEffect, useRef, useState } from 'react'
import { useI18n } from '../i18n'
import { Button, IconButton } from './Button'
import css from './FilterBar.module.css'
import { CloseIcon, FilterIcon, SearchIcon } from './icons'
import { Menu } from './Menu'
import { useShortcuts } from './shortcuts'

export interface Filter {
  id: string
  /** Such as "State". */
  label: string
  options: { value: string; label: string }[]
}

export interface FilterBarProps {
  /** What the search looks through, such as "Search name, path, domain". */
  placeholder: string
  q: string
  onSearch: (q: string) => void
  filters?: Filter[]
  /** Chosen options by the filter's id. */
  values?: Record<string, string | undefined>
  onFilter?: (id: string, value: string | undefined) => void
  total?: number
  totalExact?: boolean
  children?: ReactNode
}

const pause = 160

/** Search and filters of a list. What they say belongs into the address; see useUrl. */
export function FilterBar({
  placeholder,
  q,
  onSearch,
  filters = [],
  values = {},
  onFilter,
  total,
  totalExact = true,
  children,
}: FilterBarProps) {
  const { t } = useI18n()
  const input = useRef<HTMLInputElement>(null)
  const [typed, setTyped] = useState(q)
  const composing = useRef(false)
  const search = useRef(onSearch)
  search.current = onSearch
  useShortcuts({ '/': () => input.current?.focus() })

  // Typing is followed by one question when it pauses; an address that changes elsewhere shows at once.
  const asked = useRef(q)
  useEffect(() => {
    if (q === asked.current) return
    asked.current = q
    setTyped(q)
  }, [q])
  useEffect(() => {
    if (typed === asked.current || composing.current) return
    const timer = setTimeout(() => {
      asked.current = typed
      search.current(typed)
    }, pause)
    return () => clearTimeout(timer)
  }, [typed])

  const clear = () => {
    asked.current = ''
    setTyped('')
    onSearch('')
    input.current?.focus()
  }
  const open = filters.filter((f) => !values[f.id])
  return (
    <search className={css.bar}>
      <div className={css.search}>
        <SearchIcon size={16} aria-hidden />
        <input
          ref={input}
          type="search"
          aria-label={placeholder}
          placeholder={placeholder}
          autoComplete="off"
          spellCheck={false}
          value={typed}
          onChange={(e) => setTyped(e.target.value)}
          onCompositionStart={() => {
            composing.current = true
          }}
          onCompositionEnd={(e) => {
            composing.current = false
            setTyped(e.currentTarget.value)
            asked.current = e.currentTarget.value
            search.current(e.currentTarget.value)
          }}
          onKeyDown={(e) => {
            if (e.key === 'Escape' && typed) {
              e.preventDefault()
              clear()
            }
          }}
        />
        {typed ? (
          <IconButton small icon={CloseIcon} label={t('ui.clearSearch')} onClick={clear} bare />
        ) : (
          <kbd aria-hidden>/</kbd>
        )}
      </div>
      {filters.map((f) => {
        const chosen = f.options.find((o) => o.value === values[f.id])
        return (
          chosen && (
            <span key={f.id} className={css.token}>
              {f.label}
              <b>{chosen.label}</b>
              <button
                type="button"
                aria-label={t('ui.removeFilter', { name: f.label })}
                onClick={() => onFilter?.(f.id, undefined)}
              >
                <CloseIcon size={14} aria-hidden />
              </button>
            </span>
          )
        )
      })}
      {open.map((f) => (
        <Menu
          key={f.id}
          target={
            <Button look="ghost" icon={FilterIcon} aria-label={t('ui.filterBy', { name: f.label })}>
              {f.label}
            </Button>
          }
          groups={[f.options.map((o) => ({ label: o.label, onSelect: () => onFilter?.(f.id, o.value) }))]}
        />
      ))}
      {children}
      {total !== undefined && (
        <output className={css.count}>{t(totalExact ? 'ui.rows' : 'ui.rowsAbout', { count: total })}</output>
      )}
    </search>
  )
}
