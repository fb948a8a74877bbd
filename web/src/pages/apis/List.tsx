import { nothingAtAll, useList, useRead } from '../../api/query'
import type { API, Node } from '../../api/schema'
import { listenOf, liveOn, targetsOf, urlOf } from '../../definition/read'
import { type I18n, useI18n } from '../../i18n'
import { useSession } from '../../session'
import { Button } from '../../ui/Button'
import { CopyButton } from '../../ui/Code'
import { type Column, DataTable } from '../../ui/DataTable'
import { FilterBar } from '../../ui/FilterBar'
import { PlusIcon, RouteIcon } from '../../ui/icons'
import { LinkButton, useGo } from '../../ui/Link'
import { Card, PageHeader } from '../../ui/Page'
import { EmptyState } from '../../ui/States'
import { StatusPill } from '../../ui/Status'
import { useShortcuts } from '../../ui/shortcuts'
import { oneOf, text, useUrl } from '../../url'
import { AccessBadge } from './AccessBadge'
import css from './List.module.css'

/** All APIs: found by the server, with what each asks of callers and on how many gateways it is live. */
export default function Apis() {
  const { t } = useI18n()
  const { can } = useSession()
  const go = useGo()
  const [url, setUrl] = useUrl({ q: text, state: oneOf('active', 'disabled'), sort: oneOf('name', '-updated') })
  const sort = url.sort ?? 'name'
  const list = useList('GET /apis', { sort, ...(url.q && { q: url.q }), ...(url.state && { state: url.state }) }, { live: true })
  const filtered = Boolean(url.q || url.state)
  const nodes = useNodes()
  const write = can('apis:write')
  useShortcuts({ c: () => write && go('/apis/new') })
  const add = write ? (
    <LinkButton to="/apis/new" look="primary" icon={PlusIcon}>
      {t('apis.new')}
    </LinkButton>
  ) : (
    <Button look="primary" icon={PlusIcon} disabled={t('ui.denied', { permission: 'apis:write' })}>
      {t('apis.new')}
    </Button>
  )
  return (
    <>
      <PageHeader title={t('apis.title')} sub={t('apis.sub')} actions={add} />
      <Card flush>
        {!nothingAtAll(list, filtered) && (
          <FilterBar
            placeholder={t('apis.search')}
            q={url.q}
            onSearch={(q) => setUrl({ q })}
            filters={[
              {
                id: 'state',
                label: t('apis.state'),
                options: [
                  { value: 'active', label: t('apis.stateActive') },
                  { value: 'disabled', label: t('apis.stateDisabled') },
                ],
              },
            ]}
            values={{ state: url.state }}
            onFilter={(_, state) => setUrl({ state: state as 'active' | 'disabled' | undefined })}
            total={list.loading || list.error ? undefined : list.total}
            totalExact={list.totalExact}
          />
        )}
        <DataTable<API>
          label={t('apis.title')}
          columns={columns(nodes)(t)}
          list={list}
          keyOf={(a) => a.meta.id}
          hrefOf={(a) => `/apis/${a.meta.id}`}
          sort={sort}
          onSort={(s) => setUrl({ sort: s as 'name' | '-updated' })}
          filtered={filtered}
          onClear={() => setUrl({ q: '', state: undefined })}
          empty={
            <EmptyState icon={RouteIcon} title={t('apis.empty')} actions={add}>
              {t('apis.emptyHelp')}
            </EmptyState>
          }
        />
      </Card>
    </>
  )
}

/** All nodes as they tell of themselves; undefined while unknown or not for this reader. */
function useNodes(): Node[] | undefined {
  const { can } = useSession()
  return useRead('GET /gateways', undefined, { live: true, enabled: can('gateways:read') }).data?.items
}

const columns =
  (nodes: Node[] | undefined) =>
  (t: I18n['t']): Column<API>[] => [
    {
      id: 'name',
      header: t('apis.name'),
      width: 'minmax(150px, 1.4fr)',
      sort: { up: 'name' },
      cell: (a) => (
        <span className={css.name}>
          <b className="truncate">{a.object.name}</b>
          {a.object.name.toLowerCase() !== a.meta.id && <code className="truncate">{a.meta.id}</code>}
        </span>
      ),
    },
    {
      id: 'listen',
      header: t('apis.listen'),
      width: 'minmax(170px, 1.8fr)',
      from: 560,
      controls: true,
      cell: (a) => <Address api={a} nodes={nodes} />,
    },
    { id: 'upstream', header: t('apis.upstream'), width: 'minmax(130px, 1.4fr)', from: 860, cell: (a) => <Upstream api={a} /> },
    {
      id: 'auth',
      header: t('apis.authentication'),
      width: '150px',
      from: 720,
      cell: (a) => <AccessBadge definition={a.object} />,
    },
    { id: 'live', header: t('apis.liveOn'), width: '148px', cell: (a) => <Live api={a} nodes={nodes} /> },
    {
      id: 'changed',
      header: t('apis.changed'),
      width: '120px',
      from: 1000,
      sort: { down: '-updated' },
      cell: (a) => <Changed at={a.meta.updatedAt} />,
    },
  ]

function Changed({ at }: { at: string }) {
  const { format } = useI18n()
  return (
    <time dateTime={at} title={format.precise(at)} className="muted">
      {format.ago(at)}
    </time>
  )
}

function Address({ api, nodes }: { api: API; nodes: Node[] | undefined }) {
  const { t } = useI18n()
  const { domains, path } = listenOf(api.object)
  const { url } = urlOf(api.object, nodes ?? [], window.location.hostname)
  return (
    <span className={css.address}>
      <code className="truncate" title={url}>
        {domains[0] && <span className="muted">{domains[0]}</span>}
        {path}
      </code>
      {domains.length > 1 && <small className="muted">+{domains.length - 1}</small>}
      <CopyButton text={url} what={t('apis.copyUrl', { name: api.object.name })} />
    </span>
  )
}

function Upstream({ api }: { api: API }) {
  const { t } = useI18n()
  const [first, ...more] = targetsOf(api.object)
  if (!first) return null
  const url = first.replace(/^http:\/\//, '')
  return (
    <code className="truncate muted" title={[first, ...more].join('\n')}>
      {more.length > 0 ? t('apis.upstreamMore', { url, count: more.length }) : url}
    </code>
  )
}

function Live({ api, nodes }: { api: API; nodes: Node[] | undefined }) {
  const { t } = useI18n()
  if (api.object.state === 'disabled') return <StatusPill state="disabled" />
  if (!nodes) {
    return (
      <StatusPill shape="ring" tone="off">
        {t('apis.on')}
      </StatusPill>
    )
  }
  const { live, all, rejected } = liveOn(api.object, api.meta.id, api.meta.revision, nodes)
  const n = { live: String(live), all: String(all) }
  if (rejected > 0) return <StatusPill state="rejected">{t('apis.rejected', { count: rejected })}</StatusPill>
  if (all === 0) return <StatusPill state="offline">{t('apis.noGateway')}</StatusPill>
  return live === all ? (
    <StatusPill state="active">{t('apis.live', n)}</StatusPill>
  ) : (
    <StatusPill state="catching-up">{t('apis.waiting', n)}</StatusPill>
  )
}
