import { useMemo, useState } from 'react'
import { call, JsonText } from '../../../api/client'
import { explain } from '../../../api/errors'
import { invalidate, queryClient, useRead } from '../../../api/query'
import { useI18n } from '../../../i18n'
import { useSession } from '../../../session'
import { useGo } from '../../../ui/Link'
import { ConfirmByName } from '../../../ui/Overlay'
import { Stack } from '../../../ui/Page'
import { ErrorNotice, Skeleton } from '../../../ui/States'
import { toast } from '../../../ui/Toast'
import type { Version } from './draft'

const hour = 3_600_000

/** Deletes an API: says first what follows from it, afterwards what happened, and offers to take it back. */
export function DeleteApi({
  id,
  version,
  url,
  open,
  onClose,
  onGone,
}: {
  id: string
  version: Version
  url: string
  open: boolean
  onClose: () => void
  /** Called before the page is left. */
  onGone: () => void
}) {
  const i18n = useI18n()
  const { t } = i18n
  const go = useGo()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const name = version.value.name
  const remove = async () => {
    setBusy(true)
    setError(null)
    try {
      const done = await call('DELETE /apis/{id}', { path: { id }, ifMatch: version.etag })
      onGone()
      onClose()
      go('/apis')
      queryClient.removeQueries({
        predicate: (q) => JSON.stringify(q.queryKey).startsWith(`["GET /apis/{id}",{"path":{"id":${JSON.stringify(id)}`),
      })
      void invalidate('/apis', '/revisions')
      toast({
        text: t('api.deleted', { name, revision: String(done.revision ?? '') }),
        undo: () => void restore(),
      })
    } catch (e) {
      setError(e)
    } finally {
      setBusy(false)
    }
  }
  const restore = async () => {
    try {
      const done = await call('POST /apis', { body: new JsonText(version.stored) })
      void invalidate('/apis', '/revisions')
      toast({ text: t('api.restored', { name, revision: String(done.revision ?? '') }) })
    } catch (e) {
      toast({ kind: 'bad', text: explain(e, i18n) })
    }
  }
  return (
    <ConfirmByName
      open={open}
      onClose={onClose}
      title={t('api.deleteTitle', { name })}
      action={t('api.delete')}
      name={name}
      onConfirm={() => void remove()}
      busy={busy}
    >
      {open && (
        <Stack>
          <p>{t('api.deleteAnswer', { url })}</p>
          <Traffic id={id} />
          <Keys id={id} />
          <p className="muted">{t('api.deleteRevision')}</p>
          <ErrorNotice error={error} />
        </Stack>
      )}
    </ConfirmByName>
  )
}

/** How much would be answered with 404, by the last hour. */
function Traffic({ id }: { id: string }) {
  const { t, format } = useI18n()
  const { can } = useSession()
  const may = can('requests:read')
  const from = useMemo(() => new Date(Date.now() - hour).toISOString(), [])
  const { data, error } = useRead('GET /requests', { query: { api: id, from, limit: 1 } }, { enabled: may })
  if (!may || error || data?.problems.some((p) => p.code === 'requests.nothing_kept')) {
    return <p className="muted">{t('api.deleteTrafficUnknown')}</p>
  }
  if (!data) return <Skeleton width={280} />
  if (data.total === 0) return <p>{t('api.deleteQuiet')}</p>
  return (
    <p>
      <b>
        {data.totalExact
          ? t('api.deleteTraffic', { count: data.total })
          : t('api.deleteTrafficMany', { count: format.count(data.total) })}
      </b>
    </p>
  )
}

/** How many keys lose a right. */
function Keys({ id }: { id: string }) {
  const { t } = useI18n()
  const { can } = useSession()
  const { data } = useRead('GET /keys', { query: { api: id, limit: 1 } }, { enabled: can('keys:read') })
  return data && data.total > 0 ? <p>{t('api.deleteKeys', { count: data.total })}</p> : null
}
