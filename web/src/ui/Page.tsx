import type { CSSProperties, ReactNode } from 'react'
import { cx } from './cx'
import css from './Page.module.css'

/** The head of a page: its name, what state it is in, what can be done. The heading takes the focus after navigation. */
export function PageHeader({
  title,
  state,
  sub,
  actions,
}: {
  title: string
  state?: ReactNode
  sub?: ReactNode
  actions?: ReactNode
}) {
  return (
    <header className={css.header}>
      <div className={css.titles}>
        <div className={css.line}>
          <h1 tabIndex={-1}>{title}</h1>
          {state}
        </div>
        {sub && <div className={css.sub}>{sub}</div>}
      </div>
      {actions && <div className={css.actions}>{actions}</div>}
    </header>
  )
}

/** A framed part of a page. `flush`: its content reaches the frame, as a table's does. */
export function Card({
  title,
  aside,
  flush,
  children,
}: {
  title?: string
  aside?: ReactNode
  flush?: boolean
  children: ReactNode
}) {
  return (
    <section className={css.card}>
      {title && (
        <div className={css.cardHead}>
          <h2>{title}</h2>
          {aside}
        </div>
      )}
      <div className={flush ? css.flush : css.cardBody}>{children}</div>
    </section>
  )
}

/** Things below each other. `narrow`: as wide as a form. */
export function Stack({ children, narrow }: { children: ReactNode; narrow?: boolean }) {
  return <div className={cx(css.stack, narrow && css.narrow)}>{children}</div>
}

/** Small things beside each other, wrapping. */
export function Row({ children }: { children: ReactNode }) {
  return <div className={css.row}>{children}</div>
}

/** Equal columns of at least `least` pixels each, as many as fit. */
export function Columns({ children, least = 320 }: { children: ReactNode; least?: number }) {
  return (
    <div className={css.columns} style={{ '--least': `${least}px` } as CSSProperties}>
      {children}
    </div>
  )
}

/** Names and values of one object. An absent value is left out. */
export function Facts({ facts }: { facts: [name: string, value: ReactNode][] }) {
  return (
    <dl className={css.facts}>
      {facts
        .filter(([, value]) => value !== undefined && value !== null && value !== '')
        .map(([name, value]) => (
          <div key={name} style={{ display: 'contents' }}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}
