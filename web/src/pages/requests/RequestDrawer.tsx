import { useEffect, useRef } from 'react'
import { ApiError } from '../../api/client'
import { explain } from '../../api/errors'
import { useRead } from '../../api/query'
import type { RequestRecord, RequestSummary } from '../../api/schema'
import { curlAgain } from '../../curl'
import { useI18n } from '../../i18n'
import { useTitle } from '../../layout/title'
import { prefs } from '../../prefs'
import { Button } from '../../ui/Button'
import { useCopy } from '../../ui/Code'
import { ArrowDownIcon, ArrowUpIcon, CheckIcon, CopyIcon, SearchIcon } from '../../ui/icons'
import { Drawer } from '../../ui/Overlay'
import { Row, Stack } from '../../ui/Page'
import { EmptyState, ErrorFinePrint, ErrorState, Skeleton } from '../../ui/States'
import { spell, writing } from '../../ui/shortcuts'
import css from './Requests.module.css'
import { RequestView } from './RequestView'

/** One request beside its list; j and k go to the next and the one before. */
export function RequestDrawer({
  id,
  items,
  onShow,
  onClose,
  onEnd,
}: {
  id: string | undefined
  items: RequestSummary[]
  onShow: (id: string) => void
  onClose: () => void
  /** The last one of what was read is shown. */
  onEnd: () => void
}) {
  const { t } = useI18n()
  const at = items.findIndex((r) => r.id === id)
  const newer = at > 0 ? items[at - 1]?.id : undefined
  const older = at >= 0 ? items[at + 1]?.id : undefined
  // While it closes it goes on showing what it showed.
  const kept = useRef(id)
  if (id) kept.current = id
  const go = useRef({ newer, older, onShow, onEnd })
  go.current = { newer, older, onShow, onEnd }
  useEffect(() => {
    if (!id) return
    const onKey = (e: KeyboardEvent) => {
      if (e.defaultPrevented || e.isComposing || e.altKey || !prefs().shortcuts || writing(e.target)) return
      const key = spell(e)
      const to = key === 'j' ? go.current.older : key === 'k' ? go.current.newer : undefined
      if (key !== 'j' && key !== 'k') return
      e.preventDefault()
      if (to) go.current.onShow(to)
    }
    document.addEventListener('keydown', onKey)
    return () => document.removeEventListener('keydown', onKey)
  }, [id])
  useEffect(() => {
    if (at >= 0 && at === items.length - 1) go.current.onEnd()
  }, [at, items.length])
  return (
    <Drawer open={id !== undefined} onClose={onClose} title={t('titles.request')} width={720}>
      {kept.current && (
        <One key={kept.current} id={kept.current} newer={newer} older={older} onShow={onShow} open={id !== undefined} />
      )}
    </Drawer>
  )
}

function One({
  id,
  newer,
  older,
  onShow,
  open,
}: {
  id: string
  newer: string | undefined
  older: string | undefined
  onShow: (id: string) => void
  open: boolean
}) {
  const i18n = useI18n()
  const { t } = i18n
  const { data, error, refetch } = useRead('GET /requests/{id}', { path: { id } }, { staleTime: Number.POSITIVE_INFINITY })
  const record = data?.id === id ? data : undefined
  useTitle(open ? (record ? `${record.method} ${record.path}` : id) : '')
  return (
    <Stack>
      <div className={css.tools}>
        <Row>
          <Button
            small
            icon={ArrowUpIcon}
            disabled={newer ? undefined : t('requests.noNewer')}
            onClick={() => newer && onShow(newer)}
          >
            {t('requests.newer')} <kbd aria-hidden>k</kbd>
          </Button>
          <Button
            small
            icon={ArrowDownIcon}
            disabled={older ? undefined : t('requests.noOlder')}
            onClick={() => older && onShow(older)}
          >
            {t('requests.older')} <kbd aria-hidden>j</kbd>
          </Button>
        </Row>
        <Row>
          <CopyLabelled text={`${window.location.origin}/requests/${id}`} label={t('requests.copyLink')} />
          {record && <CopyLabelled text={curl(record)} label={t('requests.copyCurl')} />}
        </Row>
      </div>
      {record ? (
        <RequestView record={record} />
      ) : error instanceof ApiError && error.status === 404 ? (
        <EmptyState
          icon={SearchIcon}
          title={explain(error, i18n)}
          actions={<Button onClick={() => void refetch()}>{t('ui.retry')}</Button>}
        >
          <ErrorFinePrint error={error} />
        </EmptyState>
      ) : error ? (
        <ErrorState error={error} onRetry={() => void refetch()} />
      ) : (
        <>
          <Skeleton height={40} />
          <Skeleton height={120} />
          <Skeleton height={200} />
        </>
      )}
    </Stack>
  )
}

function CopyLabelled({ text, label }: { text: string; label: string }) {
  const { t } = useI18n()
  const { copied, copy } = useCopy(text)
  return (
    <Button small icon={copied ? CheckIcon : CopyIcon} onClick={copy}>
      {copied ? t('ui.copied') : label}
    </Button>
  )
}

/** The request as a command; its secrets are variables, whether the gateway masked them or not. */
export function curl(r: RequestRecord): string {
  const body = r.request && !r.request.truncated && r.request.bodyEncoding === 'utf-8' ? r.request.body : undefined
  return curlAgain({
    method: r.method,
    url: `${r.scheme ?? 'http'}://${r.host}${r.path}${r.query ? `?${r.query}` : ''}`,
    headers: r.request?.headers,
    body,
  })
}
