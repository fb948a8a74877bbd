import { useParams } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { ApiError, call } from '../../api/client'
import { explain } from '../../api/errors'
import { usePublish } from '../../api/publish'
import { invalidate, queryClient, useRead } from '../../api/query'
import { urlOf } from '../../definition/read'
import { useI18n } from '../../i18n'
import { useTitle } from '../../layout/title'
import { Unsaved } from '../../layout/unsaved'
import { useSession } from '../../session'
import { Button, IconButton } from '../../ui/Button'
import { CopyText } from '../../ui/Code'
import { DotsIcon, EditIcon } from '../../ui/icons'
import { LinkButton, useGo } from '../../ui/Link'
import { Menu } from '../../ui/Menu'
import { ConfirmByName } from '../../ui/Overlay'
import { PageHeader } from '../../ui/Page'
import { ErrorState, Missing, Skeleton } from '../../ui/States'
import { StatusPill } from '../../ui/Status'
import { useShortcuts } from '../../ui/shortcuts'
import { TabLinks } from '../../ui/Tabs'
import { toast } from '../../ui/Toast'
import { oneOf, useUrl, whole } from '../../url'
import css from './api/Api.module.css'
import { DeleteApi } from './api/DeleteApi'
import { DraftBar } from './api/DraftBar'
import { useDraft, useVersion, type Version } from './api/draft'
import { Edit, type FocusWish } from './api/Edit'
import { factsOf } from './api/facts'
import { Json } from './api/Json'
import { Overview } from './api/Overview'

/** One API: what it is, its forms, its text. */
export default function Api() {
  const { id = '' } = useParams({ strict: false }) as { id?: string }
  const { data, error, refetch } = useVersion(id)
  const { t } = useI18n()
  const gone = error instanceof ApiError && error.status === 404
  if (error && (!data || gone)) {
    return (
      <>
        <PageHeader title={id} />
        {gone ? (
          <Missing error={error} list="/apis" all={t('apis.all')} />
        ) : (
          <ErrorState error={error} onRetry={() => void refetch()} />
        )}
      </>
    )
  }
  if (!data) {
    return (
      <div aria-busy>
        <PageHeader title={id} sub={<Skeleton width={220} />} />
        <Skeleton height={280} />
      </div>
    )
  }
  return <Loaded key={id} id={id} version={data} />
}

/** Hears of newer revisions by the status, which events keep fresh. */
function useFresh(id: string, version: Version): void {
  const { data } = useRead('GET /apis/{id}/status', { path: { id } }, { live: true })
  const newest = data?.publish.revision ?? 0
  useEffect(() => {
    if (newest > version.revision) void invalidate('/apis/{id}')
  }, [newest, version.revision])
}

function Loaded({ id, version }: { id: string; version: Version }) {
  const { t } = useI18n()
  const { can } = useSession()
  const draft = useDraft(id, version)
  const [url, setUrl] = useUrl({ tab: oneOf('edit', 'json'), endpoint: whole() })
  const [focus, setFocus] = useState<FocusWish>({ at: '', n: 0 })
  const [gone, setGone] = useState(false)
  const gateways = useRead('GET /gateways', undefined, { live: true, enabled: can('gateways:read') })
  const facts = factsOf(version.value)
  const { base, url: address, told } = urlOf(version.value, gateways.data?.items ?? [], window.location.hostname)
  const readOnly = !can('apis:write')
  const tab = url.tab ?? 'overview'
  const go = useGo()
  const here = `/apis/${encodeURIComponent(id)}`
  useFresh(id, version)
  useTitle(facts.name)
  useShortcuts({ e: () => go(`${here}?tab=edit`) })
  const tabs = [
    { id: 'overview', label: t('api.overview'), to: here },
    { id: 'edit', label: t('api.edit'), to: `${here}?tab=edit` },
    { id: 'json', label: t('api.json'), to: `${here}?tab=json` },
  ]
  return (
    <>
      <Unsaved when={draft.dirty && !gone} />
      <Head id={id} version={version} url={address} editing={tab !== 'overview'} onGone={() => setGone(true)} />
      <div className={css.tabs}>
        <TabLinks label={t('api.tabs')} current={tab} tabs={tabs} />
      </div>
      {tab === 'overview' && <Overview id={id} version={version} facts={facts} base={base} told={told} />}
      {tab === 'edit' && (
        <Edit
          id={id}
          draft={draft}
          readOnly={readOnly}
          focus={focus}
          endpoint={url.endpoint ?? -1}
          onEndpoint={(n) => setUrl({ endpoint: n < 0 ? undefined : n })}
        />
      )}
      {tab === 'json' && <Json draft={draft} readOnly={readOnly} name={facts.name} />}
      {!readOnly && (
        <DraftBar
          id={id}
          draft={draft}
          onFocus={(at) => {
            if (tab === 'overview') setUrl({ tab: 'edit' })
            setFocus((f) => ({ at, n: f.n + 1 }))
          }}
        />
      )}
    </>
  )
}

function Head({
  id,
  version,
  url,
  editing,
  onGone,
}: {
  id: string
  version: Version
  url: string
  editing: boolean
  onGone: () => void
}) {
  const i18n = useI18n()
  const { t } = i18n
  const { can } = useSession()
  const facts = factsOf(version.value)
  const [open, setOpen] = useState<'delete' | 'disable' | null>(null)
  const [busy, setBusy] = useState(false)
  const name = facts.name
  const denied = can('apis:write') ? undefined : t('api.writeDenied')
  const turn = async (on: boolean) => {
    setBusy(true)
    try {
      // Absent is on, so that enabling leaves nothing in the text.
      const state = on ? null : 'disabled'
      await call('PATCH /apis/{id}', { path: { id }, body: { state }, ifMatch: version.etag })
      await queryClient.invalidateQueries({ predicate: (q) => String(q.queryKey[0]).startsWith('GET /apis') })
      toast({ text: t(on ? 'api.enabled' : 'api.disabled', { name }) })
    } catch (e) {
      if (e instanceof ApiError && e.status === 412) void invalidate('/apis/{id}')
      toast({ kind: 'bad', text: explain(e, i18n) })
    } finally {
      setBusy(false)
      setOpen(null)
    }
  }
  return (
    <>
      <PageHeader
        title={name}
        state={
          <>
            <LivePill version={version} active={facts.active} />
            {facts.auth === 'open' && (
              <StatusPill shape="triangle" tone="warn">
                {t('api.open')}
              </StatusPill>
            )}
          </>
        }
        sub={
          <span className={css.url}>
            <CopyText text={url} what={t('api.copyUrl')} />
            {id !== name && <code className="muted small">{id}</code>}
          </span>
        }
        actions={
          <>
            {!editing && (
              <LinkButton to={`/apis/${encodeURIComponent(id)}?tab=edit`} look="primary" icon={EditIcon}>
                {t('api.edit')}
              </LinkButton>
            )}
            {!facts.active && (
              <Button busy={busy} disabled={denied ?? false} onClick={() => void turn(true)}>
                {t('api.enable')}
              </Button>
            )}
            <Menu
              target={<IconButton look="default" icon={DotsIcon} label={t('api.more', { name })} bare />}
              groups={[
                facts.active
                  ? [{ label: t('api.disable'), onSelect: () => setOpen('disable'), disabled: denied }]
                  : [{ label: t('api.enable'), onSelect: () => void turn(true), disabled: denied }],
                [{ label: t('api.delete'), onSelect: () => setOpen('delete'), danger: true, disabled: denied }],
              ]}
            />
          </>
        }
      />
      <ConfirmByName
        open={open === 'disable'}
        onClose={() => setOpen(null)}
        title={t('api.disableTitle', { name })}
        action={t('api.disable')}
        busy={busy}
        onConfirm={() => void turn(false)}
      >
        {t('api.disableHelp')}
      </ConfirmByName>
      <DeleteApi id={id} version={version} url={url} open={open === 'delete'} onClose={() => setOpen(null)} onGone={onGone} />
    </>
  )
}

/** How many gateways run the newest version. */
function LivePill({ version, active }: { version: Version; active: boolean }) {
  const { t } = useI18n()
  const p = usePublish(version.revision)
  if (!active) return <StatusPill state="disabled" />
  if (p.state === 'reading' || p.state === 'failed') return null
  const said = t('api.liveOn', { applied: String(p.applied), connected: String(p.connected), revision: String(version.revision) })
  if (p.state === 'rejected') {
    return (
      <StatusPill shape="square" tone="bad">
        {t('api.rejected')} {said}
      </StatusPill>
    )
  }
  if (p.state === 'live') {
    return (
      <StatusPill shape="dot" tone="ok">
        {t('api.live')} {said}
      </StatusPill>
    )
  }
  return (
    <StatusPill shape={p.state === 'waiting' ? 'half' : 'triangle'} tone={p.state === 'waiting' ? 'info' : 'warn'}>
      {t(p.state === 'none' ? 'api.noGateway' : 'api.waiting')} {said}
    </StatusPill>
  )
}
