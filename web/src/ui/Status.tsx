import type { ReactNode } from 'react'
import { type PlainKey, useI18n } from '../i18n'
import { cx } from './cx'
import css from './Status.module.css'

export type Tone = 'ok' | 'warn' | 'bad' | 'info' | 'off'
type Shape = 'dot' | 'half' | 'ring' | 'triangle' | 'square'

/** The states of the platform: shape, word and colour of each. */
const states: Record<string, [Shape, Tone, PlainKey]> = {
  active: ['dot', 'ok', 'state.active'],
  applied: ['dot', 'ok', 'state.applied'],
  current: ['dot', 'ok', 'state.current'],
  pending: ['half', 'info', 'state.pending'],
  'catching-up': ['half', 'info', 'state.catchingUp'],
  draining: ['half', 'info', 'state.draining'],
  disabled: ['ring', 'off', 'state.disabled'],
  offline: ['ring', 'off', 'state.offline'],
  revoked: ['ring', 'off', 'state.revoked'],
  expired: ['ring', 'off', 'state.expired'],
  behind: ['triangle', 'warn', 'state.behind'],
  degraded: ['triangle', 'warn', 'state.degraded'],
  suspended: ['triangle', 'warn', 'state.suspended'],
  rejected: ['square', 'bad', 'state.rejected'],
}

/** A state's sign: told apart without its colour. */
export function Mark({ shape, tone, waiting }: { shape: Shape; tone: Tone; waiting?: boolean }) {
  return (
    <svg
      width="10"
      height="10"
      viewBox="0 0 10 10"
      className={cx(css.mark, css[tone], waiting && css.waiting)}
      aria-hidden
      fill="currentColor"
    >
      {shape === 'dot' && <circle cx="5" cy="5" r="4" />}
      {shape === 'ring' && <circle cx="5" cy="5" r="3.2" fill="none" stroke="currentColor" strokeWidth="1.6" />}
      {shape === 'half' && (
        <>
          <circle cx="5" cy="5" r="3.6" fill="none" stroke="currentColor" strokeWidth="1.3" />
          <path d="M5 1.4a3.6 3.6 0 0 1 0 7.2z" />
        </>
      )}
      {shape === 'triangle' && <path d="M5 .8 9.6 9H.4z" />}
      {shape === 'square' && <rect x="1" y="1" width="8" height="8" rx="1" />}
    </svg>
  )
}

/** A state by the platform's word for it, or any other by `children`, `shape` and `tone`. */
export function StatusPill({
  state,
  shape,
  tone,
  children,
}: {
  state?: string
  shape?: Shape
  tone?: Tone
  children?: ReactNode
}) {
  const { t } = useI18n()
  const [ownShape, ownTone, key] = states[state ?? ''] ?? (['ring', 'off', 'state.unknown'] as const)
  return (
    <span className={cx(css.pill, css[tone ?? ownTone])}>
      <Mark shape={shape ?? ownShape} tone={tone ?? ownTone} />
      <span className="truncate">{children ?? t(key)}</span>
    </span>
  )
}

export interface NodeTick {
  id: string
  name: string
  state: 'pending' | 'applied' | 'rejected' | 'offline'
  /** From the revision to the acknowledgement. */
  ms?: number
  /** Why it was rejected, in a sentence. */
  reason?: string
}

/** One tick for each gateway, as it confirms; the reason of a refusal stands below. */
export function NodeTicks({ nodes, label }: { nodes: NodeTick[]; label: string }) {
  const { t, format } = useI18n()
  const say = (n: NodeTick) => {
    if (n.state === 'applied') return t('ui.nodeApplied', { name: n.name, time: format.duration(n.ms ?? 0) })
    if (n.state === 'rejected') return t('ui.nodeRejected', { name: n.name, reason: n.reason ?? '' })
    return t(n.state === 'offline' ? 'ui.nodeOffline' : 'ui.nodePending', { name: n.name })
  }
  const tones: Record<NodeTick['state'], [Shape, Tone]> = {
    applied: ['dot', 'ok'],
    pending: ['half', 'info'],
    rejected: ['square', 'bad'],
    offline: ['ring', 'off'],
  }
  return (
    <ul className={css.ticks} aria-label={label}>
      {nodes.map((n) => {
        const [shape, tone] = tones[n.state]
        return (
          <li key={n.id} className={css.tick} data-tone={tone}>
            <Mark shape={shape} tone={tone} waiting={n.state === 'pending'} />
            <span className="visually-hidden">{say(n)}</span>
            <b aria-hidden>{n.name}</b>
            <span aria-hidden>
              {n.state === 'applied'
                ? n.ms !== undefined && format.duration(n.ms)
                : t(n.state === 'pending' ? 'state.pending' : n.state === 'offline' ? 'state.offline' : 'state.rejected')}
            </span>
          </li>
        )
      })}
      {nodes
        .filter((n) => n.state === 'rejected' && n.reason)
        .map((n) => (
          <li key={`${n.id} reason`} className={cx(css.reason, 'small', 'muted')} aria-hidden>
            {n.name}: {n.reason}
          </li>
        ))}
    </ul>
  )
}

/** One figure with its name; stands in a <dl>. */
export function Stat({ label, value, note }: { label: string; value: ReactNode; note?: ReactNode }) {
  return (
    <div className={css.stat}>
      <dt>{label}</dt>
      <dd>
        {value}
        {note && <small>{note}</small>}
      </dd>
    </div>
  )
}
