import { useQuery } from '@tanstack/react-query'
import { useParams } from '@tanstack/react-router'
import { useState } from 'react'
import { ApiError, call, exchange } from '../../api/client'
import { explain, explainProblem } from '../../api/errors'
import { invalidate, useList } from '../../api/query'
import type { NamedKey, Problem } from '../../api/schema'
import { useI18n } from '../../i18n'
import { useTitle } from '../../layout/title'
import { useSession } from '../../session'
import { Button } from '../../ui/Button'
import { CopyText } from '../../ui/Code'
import { DataTable } from '../../ui/DataTable'
import { EditIcon } from '../../ui/icons'
import { Link } from '../../ui/Link'
import { Card, Columns, Facts, PageHeader, Stack } from '../../ui/Page'
import { EmptyState, ErrorState, Missing, Notice, Skeleton } from '../../ui/States'
import { useShortcuts } from '../../ui/shortcuts'
import { toast } from '../../ui/Toast'
import { oneOf, useUrl } from '../../url'
import { useColumns } from '../requests/Cells'
import { EditKey } from './EditKey'
import { Effective, usePreview } from './Effective'
import { KeyState, mayCall } from './Keys'
import { Revoke } from './Revoke'
import { editable, stateOf } from './rights'

/** One key with the ETag of its version. */
export function useKey(id: string) {
  return useQuery({
    queryKey: ['GET /keys/{id}', { path: { id } }, 'etag'],
    queryFn: async ({ signal }) => {
      const { data, etag } = await exchange('GET /keys/{id}', { path: { id }, signal })
      return { key: data, etag }
    },
  })
}

/** One key: its state, what it may do, what it did, and its end. */
export default function Key() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  return <KeyPage id={id} />
}

/** The page of the key with this id. */
export function KeyPage({ id }: { id: string }) {
  const { t } = useI18n()
  const { data, error, refetch } = useKey(id)
  useTitle(data?.key.alias ?? '')
  if (data) return <Loaded key={id} object={data.key} etag={data.etag} />
  return (
    <>
      <PageHeader title={t('titles.key')} />
      {error instanceof ApiError && error.status === 404 ? (
        <Missing error={error} list="/keys" all={t('keys.all')} />
      ) : error ? (
        <ErrorState error={error} onRetry={() => void refetch()} />
      ) : (
        <Columns least={360}>
          <Skeleton height={220} />
          <Skeleton height={220} />
        </Columns>
      )}
    </>
  )
}

function Loaded({ object: key, etag }: { object: NamedKey; etag: string }) {
  const i18n = useI18n()
  const { t } = i18n
  const { can } = useSession()
  const [url, setUrl] = useUrl({ edit: oneOf('1') })
  const [revoking, setRevoking] = useState(false)
  const [busy, setBusy] = useState(false)
  const [problems, setProblems] = useState<Problem[]>([])
  const state = stateOf(key, Date.now())
  const ended = key.state === 'revoked'
  const why = !can('keys:write') ? t('ui.denied', { permission: 'keys:write' }) : ended ? t('keys.endedWhy') : undefined
  const editing = url.edit === '1' && !why
  const edit = () => !why && setUrl({ edit: '1' }, { push: true })
  useShortcuts({ e: edit })
  const suspend = async () => {
    setBusy(true)
    try {
      const next = key.state === 'suspended' ? 'active' : 'suspended'
      const w = await call('PATCH /keys/{id}', { path: { id: key.id }, body: { state: next }, ifMatch: etag })
      setProblems(w.problems)
      toast({ text: t(next === 'active' ? 'keys.resumed' : 'keys.suspendedNow', { alias: key.alias }) })
    } catch (error) {
      toast({ kind: 'bad', text: explain(error, i18n) })
    } finally {
      await invalidate('/keys')
      setBusy(false)
    }
  }
  return (
    <>
      <PageHeader
        title={key.alias}
        state={<KeyState state={state} />}
        sub={<CopyText text={key.id} what={t('keys.id')} />}
        actions={
          <>
            <Button icon={EditIcon} disabled={why} onClick={edit}>
              {t('keys.edit')}
            </Button>
            {!ended && (
              <Button disabled={why} busy={busy} onClick={() => void suspend()}>
                {t(key.state === 'suspended' ? 'keys.resume' : 'keys.suspend')}
              </Button>
            )}
            {!ended && (
              <Button look="dangerQuiet" disabled={why} onClick={() => setRevoking(true)}>
                {t('keys.revoke')}
              </Button>
            )}
          </>
        }
      />
      <Stack>
        {problems.map((p) => (
          <Notice key={p.code} tone="warn">
            {explainProblem(p, i18n)}
          </Notice>
        ))}
        {ended && <Notice>{t('keys.ended')}</Notice>}
        {key.state === 'suspended' && <Notice tone="warn">{t('keys.suspendedHelp')}</Notice>}
        {state === 'expired' && <Notice tone="warn">{t('keys.expiredHelp')}</Notice>}
        {editing ? (
          <EditKey
            object={key}
            etag={etag}
            onDone={(found) => {
              setProblems(found)
              setUrl({ edit: undefined })
            }}
          />
        ) : (
          <Columns least={380}>
            <About object={key} />
            <Rights object={key} />
          </Columns>
        )}
        {can('requests:read') && <LastRequests id={key.id} />}
      </Stack>
      <Revoke object={key} open={revoking} onClose={() => setRevoking(false)} onDone={setProblems} />
    </>
  )
}

function About({ object: key }: { object: NamedKey }) {
  const { t, format } = useI18n()
  return (
    <Card title={t('keys.who')}>
      <Facts
        facts={[
          [t('keys.prefix'), <code key="prefix">{key.prefix}…</code>],
          [t('keys.owner'), key.owner || <span className="muted">{t('ui.none')}</span>],
          [t('keys.tags'), key.tags?.join(', ')],
          [
            t('keys.expires'),
            key.expiresAt ? `${format.dateTime(key.expiresAt)} (${format.ago(key.expiresAt)})` : t('keys.never'),
          ],
          [t('keys.created'), format.dateTime(key.createdAt)],
          [t('keys.updated'), format.dateTime(key.updatedAt)],
          ...Object.entries(key.metadata ?? {}).map(([name, value]): [string, React.ReactNode] => [
            name,
            <code key={name}>{value}</code>,
          ]),
        ]}
      />
    </Card>
  )
}

function Rights({ object: key }: { object: NamedKey }) {
  const i18n = useI18n()
  const { t } = i18n
  const { can } = useSession()
  const asks = can('keys:write') && key.state !== 'revoked'
  const { alias, owner, policies, rights, tags, expiresAt } = editable(key)
  const preview = usePreview({ alias, owner, policies, rights, tags, expiresAt, metadata: key.metadata }, asks)
  return (
    <Card title={t('keys.effective')}>
      {asks ? (
        <Effective preview={preview.data} error={preview.error} never={!key.expiresAt} />
      ) : (
        <Facts facts={[[t(key.state === 'revoked' ? 'keys.couldCall' : 'keys.mayCall'), mayCall(key, key.names, i18n)]]} />
      )}
    </Card>
  )
}

function LastRequests({ id }: { id: string }) {
  const { t } = useI18n()
  const list = useList('GET /requests', { key: id }, { limit: 20 })
  const columns = useColumns(list.items, { key: false })
  const off = list.error instanceof ApiError && list.error.code === 'requests.no_archive'
  return (
    <Card
      flush
      title={t('keys.lastRequests')}
      aside={<Link to={`/requests?q=${encodeURIComponent(`key:${id}`)}&range=24h`}>{t('keys.allRequests')}</Link>}
    >
      {off ? (
        <EmptyState title={t('keys.noRecords')}>{t('errors.requests.no_archive')}</EmptyState>
      ) : (
        <DataTable
          label={t('keys.lastRequests')}
          columns={columns}
          list={{ ...list, more: false }}
          keyOf={(r) => r.id}
          hrefOf={(r) => `/requests/${r.id}?q=${encodeURIComponent(`key:${id}`)}&range=24h`}
          empty={<EmptyState title={t('keys.noRequests')}>{t('keys.noRequestsHelp')}</EmptyState>}
        />
      )}
    </Card>
  )
}
