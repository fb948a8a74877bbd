import { useQuery } from '@tanstack/react-query'
import { useEffect, useState } from 'react'
import { call } from '../../api/client'
import { invalidate } from '../../api/query'
import type { Key, Problem } from '../../api/schema'
import { useI18n } from '../../i18n'
import { useSession } from '../../session'
import { ConfirmByName } from '../../ui/Overlay'
import { Stack } from '../../ui/Page'
import { ErrorNotice, Notice, Skeleton } from '../../ui/States'
import { toast } from '../../ui/Toast'

const hour = 3_600_000

/** Ends a key, after saying what depends on it. The name is asked for where it was used, or where nobody can tell. */
export function Revoke({
  object: key,
  open,
  onClose,
  onDone,
}: {
  object: Key
  open: boolean
  onClose: () => void
  onDone: (problems: Problem[]) => void
}) {
  const { t } = useI18n()
  const { can } = useSession()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const [since, setSince] = useState(0)
  useEffect(() => {
    if (!open) return
    setSince(Date.now() - hour)
    setError(null)
  }, [open])
  const knows = can('requests:read')
  const used = useQuery({
    queryKey: ['GET /requests', 'revoke', key.id, since],
    queryFn: ({ signal }) =>
      call('GET /requests', { query: { key: key.id, from: new Date(since).toISOString(), limit: 1 }, signal }),
    enabled: open && knows && since > 0,
    gcTime: 0,
    retry: false,
  })
  // Nothing found counts only where the search was whole and something is recorded at all.
  const sure = used.data !== undefined && used.data.problems.length === 0 && used.data.next === ''
  const count = used.data?.total ?? 0
  const unused = knows && sure && count === 0
  const revoke = async () => {
    setBusy(true)
    setError(null)
    try {
      const w = await call('POST /keys/{id}/revoke', { path: { id: key.id } })
      onDone(w.problems)
      onClose()
      toast({ text: t('keys.revoked', { alias: key.alias }) })
      await invalidate('/keys')
    } catch (e) {
      setError(e)
    } finally {
      setBusy(false)
    }
  }
  return (
    <ConfirmByName
      open={open}
      onClose={onClose}
      title={t('keys.revokeTitle', { alias: key.alias })}
      action={t('keys.revoke')}
      name={unused ? undefined : key.alias}
      busy={busy}
      onConfirm={() => void revoke()}
    >
      <Stack>
        <p>{t('keys.revokeHelp')}</p>
        {knows && used.isPending ? (
          <Skeleton height={36} />
        ) : unused ? (
          <Notice tone="ok">{t('keys.unused')}</Notice>
        ) : count > 0 ? (
          <Notice tone="warn">{t(used.data?.totalExact ? 'keys.used' : 'keys.usedMore', { count })}</Notice>
        ) : (
          <Notice tone="warn">{t('keys.usageUnknown')}</Notice>
        )}
        <ErrorNotice error={error} />
      </Stack>
    </ConfirmByName>
  )
}
