import { nothingAtAll, useList } from '../../api/query'
import type { Key, Names } from '../../api/schema'
import { type I18n, useI18n } from '../../i18n'
import { useSession } from '../../session'
import { Button } from '../../ui/Button'
import { type Column, DataTable } from '../../ui/DataTable'
import { type Filter, FilterBar } from '../../ui/FilterBar'
import { KeyIcon, PlusIcon } from '../../ui/icons'
import { LinkButton, useGo } from '../../ui/Link'
import { Card, PageHeader } from '../../ui/Page'
import { EmptyState } from '../../ui/States'
import { StatusPill } from '../../ui/Status'
import { useShortcuts } from '../../ui/shortcuts'
import { oneOf, text, useUrl } from '../../url'
import { mergeNames, nameOf } from './names'
import { everyApi, stateOf } from './rights'

const schema = { q: text, state: oneOf('active', 'suspended', 'revoked'), api: text, policy: text }

/** What a key may call, in few words; its page has all of them. */
export function mayCall(key: Pick<Key, 'rights' | 'policies'>, names: Names, { t }: I18n): string {
  const rights = key.rights ?? []
  const apis = rights.some((r) => r.api === everyApi) ? [t('keys.everyApi')] : rights.map((r) => nameOf(names.apis, r.api))
  const named = apis.length > 3 ? [...apis.slice(0, 2), t('keys.andMore', { count: apis.length - 2 })] : apis
  const policies = (key.policies ?? []).map((p) => t('keys.policyNamed', { policy: nameOf(names.policies, p) }))
  const all = [...policies, ...named]
  return all.length > 0 ? all.join(', ') : t('keys.mayNothing')
}

/** The state of a key; one that works is active, as nothing of it is published. */
export function KeyState({ state }: { state: string }) {
  const { t } = useI18n()
  return <StatusPill state={state}>{state === 'active' ? t('keys.active') : undefined}</StatusPill>
}

/** All keys, newest first. */
export default function Keys() {
  const i18n = useI18n()
  const { t, format } = i18n
  const { can } = useSession()
  const go = useGo()
  const [url, setUrl] = useUrl(schema)
  const list = useList('GET /keys', { q: url.q.trim() || undefined, state: url.state, api: url.api, policy: url.policy })
  const names = mergeNames(...list.pages.map((p) => p.names))
  const write = can('keys:write')
  useShortcuts({ c: () => write && go('/keys/new') })

  const create = write ? (
    <LinkButton to="/keys/new" look="primary" icon={PlusIcon}>
      {t('titles.newKey')}
    </LinkButton>
  ) : (
    <Button look="primary" icon={PlusIcon} disabled={t('ui.denied', { permission: 'keys:write' })}>
      {t('titles.newKey')}
    </Button>
  )
  const filters: Filter[] = [
    {
      id: 'state',
      label: t('keys.state'),
      options: (['active', 'suspended', 'revoked'] as const).map((value) => ({
        value,
        label: t(value === 'active' ? 'keys.active' : `state.${value}`),
      })),
    },
  ]
  // These come with links from an API or a policy.
  if (url.api)
    filters.push({ id: 'api', label: t('keys.api'), options: [{ value: url.api, label: nameOf(names.apis, url.api) }] })
  if (url.policy)
    filters.push({
      id: 'policy',
      label: t('keys.policy'),
      options: [{ value: url.policy, label: nameOf(names.policies, url.policy) }],
    })

  const now = Date.now()
  const columns: Column<Key>[] = [
    { id: 'alias', header: t('keys.alias'), width: 'minmax(120px, 1.6fr)', cell: (k) => k.alias },
    { id: 'state', header: t('keys.state'), width: '110px', cell: (k) => <KeyState state={stateOf(k, now)} /> },
    { id: 'prefix', header: t('keys.prefix'), width: '106px', from: 560, cell: (k) => <code>{k.prefix}…</code> },
    {
      id: 'owner',
      header: t('keys.owner'),
      width: 'minmax(90px, 1fr)',
      from: 680,
      cell: (k) => k.owner || <span className="muted">–</span>,
    },
    {
      id: 'may',
      header: t('keys.mayCall'),
      width: 'minmax(120px, 1.8fr)',
      from: 820,
      cell: (k) => <span title={mayCall(k, names, i18n)}>{mayCall(k, names, i18n)}</span>,
    },
    {
      id: 'created',
      header: t('keys.created'),
      width: '120px',
      from: 940,
      cell: (k) => <span title={format.precise(k.createdAt)}>{format.date(k.createdAt)}</span>,
    },
    {
      id: 'expires',
      header: t('keys.expires'),
      width: '120px',
      from: 640,
      cell: (k) =>
        k.expiresAt ? (
          <span title={format.precise(k.expiresAt)}>{format.date(k.expiresAt)}</span>
        ) : (
          <span className="muted">{t('keys.never')}</span>
        ),
    },
  ]
  const filtered = Boolean(url.q.trim() || url.state || url.api || url.policy)
  return (
    <>
      <PageHeader title={t('titles.keys')} sub={t('keys.sub')} actions={create} />
      <Card flush>
        {!nothingAtAll(list, filtered) && (
          <FilterBar
            placeholder={t('keys.search')}
            q={url.q}
            onSearch={(q) => setUrl({ q })}
            filters={filters}
            values={{ state: url.state, api: url.api || undefined, policy: url.policy || undefined }}
            onFilter={(id, value) => setUrl({ [id]: value ?? '' })}
            total={list.loading || list.error ? undefined : list.total}
            totalExact={list.totalExact}
          />
        )}
        <DataTable
          label={t('titles.keys')}
          columns={columns}
          list={list}
          keyOf={(k) => k.id}
          hrefOf={(k) => `/keys/${k.id}`}
          filtered={filtered}
          onClear={() => setUrl({ q: '', state: undefined, api: '', policy: '' })}
          empty={
            <EmptyState icon={KeyIcon} title={t('keys.empty')} actions={create}>
              {t('keys.emptyHelp')}
            </EmptyState>
          }
        />
      </Card>
    </>
  )
}
