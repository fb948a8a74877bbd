import { type KeyboardEvent, type ReactNode, useId } from 'react'
import { Link } from './Link'
import css from './Tabs.module.css'

export interface Tab {
  id: string
  label: string
  count?: number
}

/** The parts of one object's page, each with its own address; `current` is the id of the one that is shown. */
export function TabLinks({ label, current, tabs }: { label: string; current: string; tabs: (Tab & { to: string })[] }) {
  return (
    <nav aria-label={label} className={css.list}>
      {tabs.map((tab) => (
        <Link key={tab.id} to={tab.to} look="bare" className={css.tab} aria-current={tab.id === current ? 'page' : undefined}>
          {tab.label}
          {tab.count !== undefined && <span className={css.count}>{tab.count}</span>}
        </Link>
      ))}
    </nav>
  )
}

/** Views of the same thing in one place, such as Form and JSON (WAI-ARIA tabs; arrows move and choose). */
export function Tabs({
  label,
  current,
  onChange,
  tabs,
  children,
}: {
  label: string
  current: string
  onChange: (id: string) => void
  tabs: Tab[]
  children: ReactNode
}) {
  const id = useId()
  const move = (e: KeyboardEvent) => {
    const by = e.key === 'ArrowRight' ? 1 : e.key === 'ArrowLeft' ? -1 : 0
    if (by === 0) return
    e.preventDefault()
    const at = tabs.findIndex((t) => t.id === current)
    const next = tabs[(at + by + tabs.length) % tabs.length] as Tab
    onChange(next.id)
    document.getElementById(`${id}${next.id}`)?.focus()
  }
  return (
    <>
      <div role="tablist" aria-label={label} className={css.list} onKeyDown={move}>
        {tabs.map((tab) => (
          <button
            key={tab.id}
            id={`${id}${tab.id}`}
            type="button"
            role="tab"
            aria-selected={tab.id === current}
            aria-controls={`${id}panel`}
            tabIndex={tab.id === current ? 0 : -1}
            className={css.tab}
            onClick={() => onChange(tab.id)}
          >
            {tab.label}
            {tab.count !== undefined && <span className={css.count}>{tab.count}</span>}
          </button>
        ))}
      </div>
      <div role="tabpanel" id={`${id}panel`} aria-labelledby={`${id}${current}`}>
        {children}
      </div>
    </>
  )
}
