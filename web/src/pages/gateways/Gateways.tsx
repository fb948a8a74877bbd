import { useRead } from '../../api/query'
import type { Node, PublishStatus } from '../../api/schema'
import { lineOf, reasonOf, summarize } from '../../fleet'
import { useI18n } from '../../i18n'
import { useNow } from '../../now'
import { type Column, DataTable } from '../../ui/DataTable'
import { FilterBar } from '../../ui/FilterBar'
import { Link } from '../../ui/Link'
import { Card, PageHeader, Stack } from '../../ui/Page'
import { Mark, StatusPill } from '../../ui/Status'
import { oneOf, text, useUrl } from '../../url'
import { Connect } from './Connect'
import css from './Fleet.module.css'
import { age, appliedAt, attention, nodePath, search, sourceText } from './fleet'
import { Said } from './Said'

const states = ['current', 'catching-up', 'behind', 'rejected', 'degraded', 'offline', 'draining'] as const
const words = {
  current: 'state.current',
  'catching-up': 'state.catchingUp',
  behind: 'state.behind',
  rejected: 'state.rejected',
  degraded: 'state.degraded',
  offline: 'state.offline',
  draining: 'state.draining',
} as const

/** Every gateway and pump of the last 24 hours, as they fare now. */
export default function Gateways() {
  const i18n = useI18n()
  const { t } = i18n
  const [url, setUrl] = useUrl({ q: text, state: oneOf(...states) })
  const nodes = useRead('GET /gateways', undefined, { live: true })
  const all = nodes.data?.items ?? []
  const gateways = all.filter((n) => n.service === 'gateway')
  const pumps = all.filter((n) => n.service === 'pump')
  const sum = summarize(all)
  const publish = useRead('GET /publishes/{revision}', { path: { revision: sum.revision } }, { enabled: sum.revision > 0 })
  const columns = useColumns(publish.data)
  const shown = search(gateways, url.q, url.state)
  const filtered = url.q !== '' || url.state !== undefined
  const present = states.filter((s) => s === url.state || gateways.some((n) => n.state === s))

  return (
    <>
      <PageHeader
        title={t('gateways.title')}
        sub={t('gateways.sub')}
        state={
          sum.all > 0 && (
            <StatusPill tone={sum.tone} shape={sum.tone === 'ok' ? 'dot' : sum.tone === 'bad' ? 'square' : 'triangle'}>
              {t('gateways.current', { current: sum.current, all: sum.all, revision: String(sum.revision) })}
            </StatusPill>
          )
        }
      />
      <Stack>
        <Card flush>
          {(gateways.length > 0 || filtered) && (
            <FilterBar
              placeholder={t('gateways.search')}
              q={url.q}
              onSearch={(q) => setUrl({ q })}
              filters={[
                {
                  id: 'state',
                  label: t('gateways.state'),
                  options: present.map((s) => ({ value: s, label: t(words[s]) })),
                },
              ]}
              values={{ state: url.state }}
              onFilter={(_, v) => setUrl({ state: states.find((s) => s === v) })}
              total={shown.length}
            />
          )}
          <DataTable
            label={t('gateways.title')}
            columns={columns}
            list={{
              items: shown,
              total: shown.length,
              totalExact: true,
              loading: nodes.isPending,
              stale: false,
              more: false,
              loadingMore: false,
              error: nodes.error,
              loadMore: () => undefined,
              retry: () => void nodes.refetch(),
            }}
            keyOf={(n) => n.id}
            hrefOf={(n) => nodePath(n.id)}
            filtered={filtered && gateways.length > 0}
            onClear={() => setUrl({ q: '', state: undefined })}
            empty={<Connect />}
          />
        </Card>
        {nodes.data && <Pumps pumps={pumps} />}
      </Stack>
    </>
  )
}

/** A state with its reason. */
function State({ node, now }: { node: Node; now: number }) {
  const i18n = useI18n()
  const { t, format } = i18n
  const reason = reasonOf(node, i18n)
  const seen = node.state === 'offline' && t('gateways.seenAgo', { ago: format.ago(node.seenAt, now) })
  return (
    <span className={css.state} title={reason ? lineOf(reason, i18n) : seen || undefined}>
      <StatusPill state={node.state} />
      {reason ? (
        <span className="truncate muted">
          <Said words={reason} />
        </span>
      ) : (
        seen && <span className="truncate muted">{seen}</span>
      )}
    </span>
  )
}

function Attention({ node }: { node: Node }) {
  const notes = attention(node, useI18n())
  const first = notes[0]
  if (!first) return null
  return (
    <span className={css.notes} title={notes.map((x) => x.text).join('\n')}>
      <span className={css.note}>
        <Mark shape={first.tone === 'bad' ? 'square' : first.tone === 'info' ? 'half' : 'triangle'} tone={first.tone} />
        <span className="truncate">{first.text}</span>
      </span>
      {notes.length > 1 && <span className="muted">+{notes.length - 1}</span>}
    </span>
  )
}

/**
 * Each column comes at the width at which the least widths of all of them, with the gaps, have room; what seldom differs
 * comes where the reasons of states have room, too.
 */
function useColumns(status: PublishStatus | undefined): Column<Node>[] {
  const { t, format } = useI18n()
  const now = useNow(2_000)
  const away = (n: Node) => n.state === 'offline'
  return [
    { id: 'name', header: t('gateways.name'), cell: (n) => n.name, width: 'minmax(90px, 1.1fr)' },
    { id: 'state', header: t('gateways.state'), cell: (n) => <State node={n} now={now} />, width: 'minmax(110px, 2fr)' },
    {
      id: 'revision',
      header: t('gateways.revision'),
      width: '84px',
      cell: (n) =>
        n.expected > n.generation
          ? t('gateways.revisionTo', { from: String(n.generation), to: String(n.expected) })
          : String(n.generation),
    },
    {
      id: 'applied',
      header: t('gateways.applied'),
      width: '104px',
      from: 752,
      cell: (n) => {
        const at = appliedAt(n, status)
        if (!at) return <span className="muted">–</span>
        const ago = format.ago(at.at, now)
        return <span title={t('gateways.appliedAfter', { ago, time: format.duration(at.ms) })}>{ago}</span>
      },
    },
    { id: 'group', header: t('gateways.group'), width: '76px', from: 1240, cell: (n) => n.group || 'default' },
    { id: 'version', header: t('gateways.version'), width: '80px', from: 1340, cell: (n) => <code>{n.version}</code> },
    { id: 'source', header: t('gateways.source'), width: '56px', from: 1420, cell: (n) => sourceText(n, t) },
    {
      id: 'rps',
      header: t('gateways.rps'),
      width: '64px',
      align: 'end',
      from: 460,
      cell: (n) => (away(n) ? '–' : format.compact(n.load.rps)),
    },
    {
      id: 'connections',
      header: t('gateways.connections'),
      width: '84px',
      align: 'end',
      from: 860,
      cell: (n) => (away(n) ? '–' : format.compact(n.load.connections)),
    },
    {
      id: 'memory',
      header: t('gateways.memory'),
      width: '76px',
      align: 'end',
      from: 640,
      cell: (n) => (away(n) ? '–' : format.bytes(n.load.rss)),
    },
    {
      id: 'uptime',
      header: t('gateways.uptime'),
      width: '88px',
      align: 'end',
      from: 960,
      cell: (n) => (away(n) ? '–' : format.duration(age(n.startedAt, now))),
    },
    {
      id: 'attention',
      header: t('gateways.attention'),
      width: 'minmax(96px, 1.6fr)',
      apart: true,
      from: 560,
      cell: (n) => <Attention node={n} />,
    },
  ]
}

function Pumps({ pumps }: { pumps: Node[] }) {
  const i18n = useI18n()
  const { t, format } = i18n
  const now = useNow(5_000)
  return (
    <Card title={t('gateways.pumps')} flush={pumps.length > 0}>
      {pumps.length === 0 ? (
        <p className="muted">{t('gateways.pumpsEmpty')}</p>
      ) : (
        <ul className={css.pumps}>
          {pumps.map((n) => {
            const reason = reasonOf(n, i18n)
            return (
              <li key={n.id}>
                <Link to={nodePath(n.id)} look="quiet">
                  <b>{n.name}</b>
                </Link>
                <StatusPill state={n.state} />
                {reason && (
                  <span>
                    <Said words={reason} />
                  </span>
                )}
                {attention(n, i18n).map((x) => (
                  <span key={x.id} className={css.note}>
                    <Mark shape={x.tone === 'bad' ? 'square' : 'triangle'} tone={x.tone} />
                    {x.text}
                  </span>
                ))}
                <span className={css.end}>
                  <code>{n.version}</code> · {format.ago(n.startedAt, now)}
                </span>
              </li>
            )
          })}
        </ul>
      )}
    </Card>
  )
}
