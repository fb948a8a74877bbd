import { useParams } from '@tanstack/react-router'
import { ApiError } from '../../api/client'
import { useRead } from '../../api/query'
import type { Node } from '../../api/schema'
import { reasonOf, rejectionOf } from '../../fleet'
import { useI18n } from '../../i18n'
import { useTitle } from '../../layout/title'
import { useNow } from '../../now'
import { CopyText } from '../../ui/Code'
import { SearchIcon } from '../../ui/icons'
import { Link, LinkButton } from '../../ui/Link'
import { Card, Columns, Facts, PageHeader, Stack } from '../../ui/Page'
import { EmptyState, ErrorNotice, ErrorState, Notice, Skeleton } from '../../ui/States'
import { Stat, StatusPill } from '../../ui/Status'
import { objectPath } from '../revisions/words'
import css from './Fleet.module.css'
import { age, appliedAt, clock, sourceText } from './fleet'
import { Said } from './Said'

/** One gateway or pump. */
export default function Gateway() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  return <GatewayPage id={id} />
}

/** The page of the node with this id. */
export function GatewayPage({ id }: { id: string }) {
  const { t } = useI18n()
  const { data: node, error, refetch } = useRead('GET /gateways/{id}', { path: { id } }, { live: true })
  useTitle(node?.name ?? id)
  if (error instanceof ApiError && error.code === 'fleet.unknown_node') {
    return (
      <>
        <PageHeader title={id} />
        <EmptyState
          icon={SearchIcon}
          title={t('gateways.unknown')}
          actions={
            <LinkButton to="/gateways" look="primary">
              {t('gateways.all')}
            </LinkButton>
          }
        >
          {t('gateways.unknownHelp')}
        </EmptyState>
      </>
    )
  }
  if (!node) {
    return (
      <>
        <PageHeader title={id} />
        {error ? <ErrorState error={error} onRetry={() => void refetch()} /> : <Waiting />}
      </>
    )
  }
  return <Shown node={node} error={error} />
}

function Waiting() {
  return (
    <Columns least={380}>
      {[0, 1].map((i) => (
        <Card key={i}>
          <Skeleton height={180} />
        </Card>
      ))}
    </Columns>
  )
}

function Shown({ node, error }: { node: Node; error: unknown }) {
  const i18n = useI18n()
  const { t, format } = i18n
  const reason = reasonOf(node, i18n)
  const now = useNow(1_000)
  const gateway = node.service === 'gateway'
  const away = node.state === 'offline'
  return (
    <>
      <PageHeader
        title={node.name}
        state={<StatusPill state={node.state} />}
        sub={<CopyText text={node.id} what={t('gateways.id')} />}
        actions={
          gateway && <LinkButton to={`/requests?node=${encodeURIComponent(node.id)}`}>{t('gateways.requestsOf')}</LinkButton>
        }
      />
      <Stack>
        <ErrorNotice error={error} />
        {reason && (
          <Notice tone={node.state === 'rejected' ? 'bad' : 'warn'}>
            <Said words={reason} />
            {node.reasonCode && <div className="small muted">{t('ui.errorCode', { code: node.reasonCode })}</div>}
          </Notice>
        )}
        {away && <Notice tone="warn">{t('gateways.offlineHelp', { time: format.precise(node.seenAt) })}</Notice>}
        {node.source === 'disk' && <Notice tone="warn">{t('gateways.fromDiskHelp')}</Notice>}
        <Rejected node={node} />
        {!away && (
          <Card title={t('gateways.load')}>
            <dl className={css.stats}>
              {gateway && <Stat label={t('gateways.rps')} value={format.compact(node.load.rps)} />}
              {gateway && <Stat label={t('gateways.connections')} value={format.compact(node.load.connections)} />}
              {gateway && <Stat label={t('gateways.inFlight')} value={format.compact(node.load.inFlight)} />}
              <Stat label={t('gateways.memory')} value={format.bytes(node.load.rss)} />
              <Stat label={t('gateways.goroutines')} value={format.compact(node.load.goroutines)} />
              <Stat label={t('gateways.uptime')} value={format.duration(age(node.startedAt, now))} />
            </dl>
          </Card>
        )}
        <Columns least={380}>
          {gateway && (
            <Stack>
              <Configuration node={node} now={now} />
              <Records node={node} />
            </Stack>
          )}
          <Card title={t('gateways.node')}>
            <Facts
              facts={[
                [t('gateways.version'), <code key="v">{node.version}</code>],
                [t('gateways.group'), gateway ? node.group || 'default' : undefined],
                [t('gateways.address'), node.address && <CopyText text={node.address} what={t('gateways.address')} />],
                [t('gateways.started'), format.precise(node.startedAt)],
                [t('gateways.seen'), `${format.precise(node.seenAt)} (${format.ago(node.seenAt, now)})`],
                [t('gateways.redis'), t(node.redisOk ? 'gateways.redisOk' : 'gateways.noRedis')],
                [t('gateways.clock'), clock(node, t, format)],
                [
                  t('gateways.lastError'),
                  // Where the notice above says it in the gateway's own words, it need not be said again; else they tell more.
                  node.lastError && reason?.own && reason.text.includes(node.lastError) ? undefined : node.lastError ? (
                    <Said key="e" words={{ text: node.lastError, own: true }} />
                  ) : (
                    t('gateways.lastErrorNone')
                  ),
                ],
              ]}
            />
          </Card>
        </Columns>
      </Stack>
    </>
  )
}

function Configuration({ node, now }: { node: Node; now: number }) {
  const { t, format } = useI18n()
  const status = useRead('GET /publishes/{revision}', { path: { revision: node.generation } }, { enabled: node.generation > 0 })
  const at = appliedAt(node, status.data)
  const revision = (n: number) => (n > 0 ? <Link to={`/revisions/${n}`}>{String(n)}</Link> : t('gateways.noConfig'))
  return (
    <Card title={t('gateways.configuration')}>
      <Facts
        facts={[
          [t('gateways.generation'), revision(node.generation)],
          [t('gateways.shouldRun'), node.expected > 0 ? revision(node.expected) : undefined],
          [
            t('gateways.applied'),
            at
              ? t('gateways.appliedAfter', { ago: format.ago(at.at, now), time: format.duration(at.ms) })
              : t('gateways.notConfirmed'),
          ],
          [t('gateways.source'), sourceText(node, t)],
          [t('gateways.root'), node.root && <CopyText text={node.root} what={t('gateways.root')} />],
        ]}
      />
    </Card>
  )
}

function Records({ node }: { node: Node }) {
  const { t, format } = useI18n()
  const s = node.spool
  return (
    <Card title={t('gateways.lost')}>
      {s && (s.dropped > 0 || s.diskBytes > 0 || s.volatile) ? (
        <Stack>
          {s.dropped > 0 && (
            <div>
              <StatusPill shape="square" tone="bad">
                {t('gateways.dropped', { count: s.dropped })}
              </StatusPill>
              <p className="small muted">{t('gateways.droppedHelp')}</p>
            </div>
          )}
          {s.volatile && (
            <div>
              <StatusPill shape="triangle" tone="warn">
                {t('gateways.volatile')}
              </StatusPill>
            </div>
          )}
          {s.diskBytes > 0 && (
            <div>
              <StatusPill shape="half" tone="info">
                {t('gateways.waits', { size: format.bytes(s.diskBytes) })}
              </StatusPill>
            </div>
          )}
        </Stack>
      ) : (
        <p className="muted">{t('gateways.lostNone')}</p>
      )}
    </Card>
  )
}

function Rejected({ node }: { node: Node }) {
  const i18n = useI18n()
  const { t } = i18n
  if (!node.rejected?.length) return null
  return (
    <Card title={t('gateways.rejectedTitle')} aside={<span className="small muted">{t('gateways.rejectedHelp')}</span>} flush>
      <ul className={css.rejected}>
        {node.rejected.map((r) => {
          const to = objectPath(r.kind, r.id)
          return (
            <li key={`${r.kind} ${r.id} ${r.code}`}>
              <header>
                <StatusPill state="rejected" />
                {to ? <Link to={to}>{r.id}</Link> : r.id}
                <span className="small muted">{t(r.kept ? 'gateways.servesBefore' : 'gateways.servesNothing')}</span>
              </header>
              <p>
                <Said words={rejectionOf(r, i18n)} />
              </p>
              <code className="small muted">{r.code}</code>
            </li>
          )
        })}
      </ul>
    </Card>
  )
}
