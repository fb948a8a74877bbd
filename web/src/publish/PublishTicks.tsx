import type { ReactNode } from 'react'
import { explain } from '../api/errors'
import { type Publish, usePublish } from '../api/publish'
import { useRead } from '../api/query'
import type { PublishNode } from '../api/schema'
import { lineOf, rejectionOf } from '../fleet'
import { type I18n, useI18n } from '../i18n'
import { useSession } from '../session'
import { Button } from '../ui/Button'
import { RefreshIcon } from '../ui/icons'
import { Link } from '../ui/Link'
import { Row, Stack } from '../ui/Page'
import { ErrorFinePrint } from '../ui/States'
import { Mark, NodeTicks } from '../ui/Status'
import css from './PublishTicks.module.css'

/** Late or rejecting gateways that are named one by one; with two hundred of them a number says more. */
const named = 3

/** A revision on its way: one sentence, one tick for each gateway, and what to do where it does not arrive. */
export function PublishTicks({ revision }: { revision: number }) {
  return <PublishView publish={usePublish(revision)} />
}

/** The same for a page that follows the revision itself. */
export function PublishView({ publish }: { publish: Publish }) {
  const i18n = useI18n()
  const { t } = i18n
  const look = (
    <Button small icon={RefreshIcon} busy={publish.looking && publish.state !== 'waiting'} onClick={publish.look}>
      {t('publish.look')}
    </Button>
  )
  const stuck =
    publish.state === 'rejected' ||
    publish.state === 'late' ||
    publish.state === 'failed' ||
    publish.state === 'unpublished' ||
    publish.state === 'none'
  return (
    <Stack>
      <div className={css.head}>
        <p role="status" className={css.line} data-state={publish.state}>
          <Sign state={publish.state} />
          <b>{headline(publish, i18n)}</b>
        </p>
        {stuck && look}
      </div>
      {publish.nodes.length > 0 && (
        <NodeTicks
          label={t('publish.gateways')}
          nodes={publish.nodes.map((n) => ({ id: n.id, name: n.name, state: n.state, ms: n.ms, reason: reasonOf(n, i18n) }))}
        />
      )}
      {publish.state === 'late' && <Late nodes={publish.pending} />}
      {publish.state === 'none' && <NoGateway />}
      {publish.state === 'rejected' && <Rejected publish={publish} />}
      {publish.state === 'unpublished' && <p className="small muted">{t('publish.unpublishedHelp')}</p>}
      {Boolean(publish.error) && publish.state !== 'live' && (
        <div>
          <p className="small muted">{explain(publish.error, i18n)}</p>
          <ErrorFinePrint error={publish.error} />
        </div>
      )}
    </Stack>
  )
}

function Sign({ state }: { state: Publish['state'] }) {
  if (state === 'live') return <Mark shape="dot" tone="ok" />
  if (state === 'rejected') return <Mark shape="square" tone="bad" />
  if (state === 'waiting' || state === 'reading') return <Mark shape="half" tone="info" waiting />
  return <Mark shape="triangle" tone="warn" />
}

/** The sentence that says how far a revision is. */
export function headline(p: Publish, { t, format }: I18n): string {
  const n = { applied: String(p.applied), connected: String(p.connected), revision: String(p.revision) }
  switch (p.state) {
    case 'live':
      return p.ms > 0 ? t('publish.liveIn', { ...n, time: format.duration(p.ms) }) : t('publish.live', n)
    case 'waiting':
      return p.connected > 0 ? t('publish.waiting', n) : t('publish.sending', { revision: n.revision })
    case 'late':
      return t('publish.late', n)
    case 'rejected':
      return t('publish.rejected', { count: p.rejected.length, revision: n.revision })
    case 'none':
      return t('publish.none')
    case 'unpublished':
      return t('publish.unpublished', { revision: n.revision })
    case 'failed':
      return t('publish.failed', { revision: n.revision })
    case 'reading':
      return t('publish.sending', { revision: n.revision })
  }
}

/** Why a gateway rejected it, in its own words where the console has none. */
function reasonOf(n: PublishNode, i18n: I18n): string | undefined {
  const { t } = i18n
  if (n.state !== 'rejected') return undefined
  const said = (n.rejected ?? []).map((r) => {
    const values = { id: r.id, message: lineOf(rejectionOf(r, i18n), i18n), code: r.code }
    return t(r.kept ? 'publish.reasonKept' : 'publish.reason', values)
  })
  return said.join(' ') || t('publish.noReason')
}

/** What the others do, and where to go on. */
function Rejected({ publish }: { publish: Publish }) {
  const { t } = useI18n()
  return (
    <div className={css.how}>
      {publish.applied > 0 && <p>{t('publish.othersLive', { count: publish.applied })}</p>}
      <p>{t('publish.rejectedHelp')}</p>
      <Row>
        {publish.rejected.slice(0, named).map((n) => (
          <Link key={n.id} to={`/gateways/${encodeURIComponent(n.id)}`}>
            {t('publish.toGateway', { name: n.name })}
          </Link>
        ))}
      </Row>
    </div>
  )
}

function Late({ nodes }: { nodes: PublishNode[] }) {
  const { t, format } = useI18n()
  const { can } = useSession()
  const { data } = useRead('GET /gateways', undefined, { live: true, enabled: can('gateways:read') })
  const seen = new Map(data?.items.map((n) => [n.id, n.seenAt]))
  const now = Date.now()
  return (
    <ul className={css.late}>
      {nodes.slice(0, named).map((n) => {
        const at = seen.get(n.id)
        // A clock that is a little ahead of ours must not make it the future.
        const ago = at && format.ago(Math.min(new Date(at).getTime(), now), now)
        return <li key={n.id}>{ago ? t('publish.notSeen', { name: n.name, ago }) : t('publish.notYet', { name: n.name })}</li>
      })}
      {nodes.length > named && <li>{t('publish.notYetMore', { count: nodes.length - named })}</li>}
      <li>
        {t('publish.lateHelp')} <Link to="/gateways">{t('publish.toGateways')}</Link>
      </li>
    </ul>
  )
}

/** How a gateway comes to be connected. */
export function NoGateway({ children }: { children?: ReactNode }) {
  const { t, rich } = useI18n()
  return (
    <div className={css.how}>
      <p>{t('publish.noneHelp')}</p>
      <ol>
        <li>{rich('publish.howKeys', { files: <code>signing.pub, bus.key, sealing.key, pepper.key</code> })}</li>
        <li>
          {rich('publish.howRedis', { setting: <code>redis.addresses</code>, file: <code>/etc/sluice/gateway.yaml</code> })}
        </li>
        <li>{rich('publish.howStart', { command: <code>systemctl enable --now sluice-gateway</code> })}</li>
      </ol>
      <Row>
        <Link to="/gateways">{t('publish.toGateways')}</Link>
        {children}
      </Row>
    </div>
  )
}
