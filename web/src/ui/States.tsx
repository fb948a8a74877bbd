import type { ReactNode } from 'react'
import { ApiError } from '../api/client'
import { explain, explainProblem } from '../api/errors'
import { useI18n } from '../i18n'
import { Button } from './Button'
import { CopyText } from './Code'
import { cx, type Icon } from './cx'
import { AlertIcon, CheckIcon, InfoIcon, LockIcon, OfflineIcon, SearchIcon } from './icons'
import { LinkButton } from './Link'
import css from './States.module.css'

/** Nothing is there yet: what the thing is in one sentence, and what to do. `whole`: it is all that the page has. */
export function EmptyState({
  icon: Glyph,
  title,
  whole,
  children,
  actions,
}: {
  icon?: Icon
  title: string
  whole?: boolean
  children?: ReactNode
  actions?: ReactNode
}) {
  return (
    <div className={css.state}>
      {Glyph && <Glyph size={26} stroke={1.5} aria-hidden />}
      {whole ? <h1 tabIndex={-1}>{title}</h1> : <h2>{title}</h2>}
      {children && <div className="muted">{children}</div>}
      {actions && <div className={css.actions}>{actions}</div>}
    </div>
  )
}

/** The small print of an error: its code, which both languages can search for, and the request. */
export function ErrorFinePrint({ error }: { error: unknown }) {
  const { t } = useI18n()
  if (!(error instanceof ApiError)) return null
  return (
    <div className={css.fine}>
      {t('ui.errorCode', { code: error.code })}
      {error.requestId && (
        <>
          {' · '}
          <CopyText text={error.requestId} what={t('ui.requestId', { id: '' }).trim()} />
        </>
      )}
    </div>
  )
}

/** Something could not be read: what happened, what still works, what to do. */
export function ErrorState({ error, onRetry, title }: { error: unknown; onRetry?: () => void; title?: string }) {
  const i18n = useI18n()
  const away = error instanceof ApiError && error.status === 0
  if (error instanceof ApiError && error.code === 'auth.denied') {
    return <Denied permission={String(error.params.permission ?? '')} />
  }
  const Glyph = away ? OfflineIcon : AlertIcon
  return (
    <div className={css.state} role="alert">
      <Glyph size={26} stroke={1.5} aria-hidden />
      <h2>{title ?? i18n.t('ui.errorTitle')}</h2>
      <div>{explain(error, i18n)}</div>
      <div className="muted">{i18n.t('ui.errorKeeps')}</div>
      <ErrorFinePrint error={error} />
      {onRetry && (
        <div className={css.actions}>
          <Button onClick={onRetry}>{i18n.t('ui.retry')}</Button>
        </div>
      )}
    </div>
  )
}

/** There is no such thing, and asking again would not bring it: the way to those that there are. */
export function Missing({ error, list, all }: { error: unknown; list: string; all: string }) {
  const i18n = useI18n()
  return (
    <div className={css.state} role="alert">
      <SearchIcon size={26} stroke={1.5} aria-hidden />
      <h2>{explain(error, i18n)}</h2>
      <ErrorFinePrint error={error} />
      <div className={css.actions}>
        <LinkButton look="primary" to={list}>
          {all}
        </LinkButton>
      </div>
    </div>
  )
}

/** The caller may not see this: which permission is missing. */
export function Denied({ permission, login, role }: { permission: string; login?: string; role?: string }) {
  const { t } = useI18n()
  return (
    <div className={css.state} role="alert">
      <LockIcon size={26} stroke={1.5} aria-hidden />
      <h2>{t('ui.denied', { permission })}</h2>
      {login && <div className="muted">{t('ui.deniedHelp', { login, role: role ?? '' })}</div>}
    </div>
  )
}

/** A block in the page that says how something went, or what to know. */
export function Notice({
  tone = 'info',
  children,
  action,
}: {
  tone?: 'ok' | 'info' | 'warn' | 'bad'
  children: ReactNode
  action?: ReactNode
}) {
  const Glyph = tone === 'ok' ? CheckIcon : tone === 'info' ? InfoIcon : AlertIcon
  return (
    <div className={cx(css.notice, css[tone])} role={tone === 'bad' ? 'alert' : 'status'}>
      <Glyph size={17} aria-hidden />
      <div>{children}</div>
      {action}
    </div>
  )
}

/** What the server refused, in the page, with the findings that belong to no field. */
export function ErrorNotice({ error, problems }: { error: unknown; problems?: Parameters<typeof explainProblem>[0][] }) {
  const i18n = useI18n()
  if (!error) return null
  return (
    <Notice tone="bad">
      {explain(error, i18n)}
      {problems && problems.length > 0 && (
        <ul>
          {problems.map((p) => (
            <li key={p.path + p.code}>
              {p.path && <code>{p.path}</code>} {explainProblem(p, i18n)}
            </li>
          ))}
        </ul>
      )}
      <ErrorFinePrint error={error} />
    </Notice>
  )
}

/** The place of something that is read for the first time. */
export function Skeleton({ width = '100%', height = 14 }: { width?: number | string; height?: number }) {
  return <span className={css.skeleton} style={{ width, height }} aria-hidden />
}
