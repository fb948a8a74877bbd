import { useState } from 'react'
import type { APIList, KeyList, Node, RequestList } from '../../api/schema'
import { useI18n } from '../../i18n'
import { useNow } from '../../now'
import { useSession } from '../../session'
import { IconButton } from '../../ui/Button'
import { cx } from '../../ui/cx'
import { CheckIcon, CloseIcon } from '../../ui/icons'
import { LinkButton } from '../../ui/Link'
import { Card, Row } from '../../ui/Page'
import css from './Overview.module.css'

/** What the steps are read from. */
export interface Facts {
  nodes: Node[]
  apis: APIList
  keys: KeyList
  requests: Pick<RequestList, 'items'>
}

const place = 'sluice.started'

/** Whether the list was hidden, or finished once, in this browser. */
export function isOver(): boolean {
  try {
    return localStorage.getItem(place) !== null
  } catch {
    return false
  }
}

/** Remembers that the list has served. */
export function setOver(): void {
  try {
    localStorage.setItem(place, 'over')
  } catch {
    // Storage is switched off: the list stays as long as steps are open.
  }
}

/** Which steps of a new installation are done, by what the platform has. */
export function stepsDone(f: Facts): Record<'connect' | 'create' | 'call' | 'key', boolean> {
  return {
    connect: f.nodes.some((n) => n.service === 'gateway' && n.state !== 'offline'),
    create: f.apis.total > 0,
    call: f.requests.items.some((r) => r.api),
    key: f.keys.total > 0,
  }
}

/** The first steps of a new installation; each ticks itself. */
export function Checklist({ facts, onHide }: { facts: Facts; onHide: () => void }) {
  const { t, format } = useI18n()
  const { can } = useSession()
  const now = useNow(5_000)
  const done = stepsDone(facts)
  const names = facts.nodes.filter((n) => n.service === 'gateway' && n.state !== 'offline').map((n) => n.name)
  const first = facts.apis.items[0]
  const called = facts.requests.items.find((r) => r.api)
  const steps = [
    {
      id: 'connect' as const,
      title: t('overview.connect'),
      text: done.connect ? t('overview.connectDone', { names: format.list(names) }) : t('overview.connectHelp'),
      action: { to: '/gateways', label: t('overview.connectOpen'), may: true },
    },
    {
      id: 'create' as const,
      title: t('overview.create'),
      text: done.create ? t('overview.createDone', { count: facts.apis.total }) : t('overview.createHelp'),
      action: { to: '/apis/new', label: t('overview.createOpen'), may: can('apis:write') },
    },
    {
      id: 'call' as const,
      title: t('overview.call'),
      text: called
        ? t('overview.callDone', { status: String(called.status || t('overview.noAnswer')), ago: format.ago(called.at, now) })
        : t('overview.callHelp'),
      action: {
        to: first ? `/apis/${encodeURIComponent(first.meta.id)}` : '/apis',
        label: t('overview.callOpen'),
        may: Boolean(first),
      },
    },
    {
      id: 'key' as const,
      title: t('overview.key'),
      text: done.key ? t('overview.keyDone', { count: facts.keys.total }) : t('overview.keyHelp'),
      action: { to: '/keys/new', label: t('overview.keyOpen'), may: can('keys:write') },
    },
  ]
  const next = steps.find((s) => !done[s.id])?.id
  const count = steps.filter((s) => done[s.id]).length
  return (
    <Card
      flush
      title={t('overview.first')}
      aside={
        <Row>
          <span className="small muted">{t('overview.firstDone', { count, all: steps.length })}</span>
          <IconButton small icon={CloseIcon} label={t('overview.firstHide')} onClick={onHide} />
        </Row>
      }
    >
      <ol className={css.checklist}>
        {steps.map((s, i) => (
          <li key={s.id} className={cx(done[s.id] && css.done)} data-step={s.id} data-done={done[s.id] || undefined}>
            <span className={css.tick} aria-hidden>
              {done[s.id] ? <CheckIcon size={15} stroke={2.4} /> : i + 1}
            </span>
            <div>
              <h3>
                {s.title}
                {done[s.id] && <span className="visually-hidden">: {t('overview.stepDone')}</span>}
              </h3>
              <p>{s.text}</p>
            </div>
            {!done[s.id] && s.action.may && (
              <div className={css.act}>
                <LinkButton to={s.action.to} look={s.id === next ? 'primary' : 'default'} small>
                  {s.action.label}
                </LinkButton>
              </div>
            )}
          </li>
        ))}
      </ol>
    </Card>
  )
}

/** The list with its own memory: it is gone for good once it was finished or hidden. */
export function useChecklist(facts: Facts | undefined): { shown: boolean; hide: () => void } {
  const [over, set] = useState(isOver)
  const hide = () => {
    setOver()
    set(true)
  }
  const complete = facts !== undefined && Object.values(stepsDone(facts)).every(Boolean)
  if (complete && !over) setOver()
  return { shown: !over && facts !== undefined && !complete, hide }
}
