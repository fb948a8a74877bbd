import { useBlocker } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { explainProblem } from '../../api/errors'
import { useList, useRead } from '../../api/query'
import type { API, KeyWritten, Node } from '../../api/schema'
import { accessOf, callWith, keyPlaceOf, urlOf } from '../../definition/read'
import { useI18n } from '../../i18n'
import { useSession } from '../../session'
import { Button } from '../../ui/Button'
import { CodeBlock, useCopy } from '../../ui/Code'
import { CheckIcon, CopyIcon, DownloadIcon } from '../../ui/icons'
import { useGo } from '../../ui/Link'
import { Dialog } from '../../ui/Overlay'
import { Card, Row, Stack } from '../../ui/Page'
import { Notice, Skeleton } from '../../ui/States'
import { envFile } from './call'
import { usePreview } from './Effective'
import css from './Keys.module.css'
import { editable, everyApi } from './rights'

const most = 5

/** The secret of a new key, this once: copied, downloaded or said to be stored before the page is left. */
export function Issued({ written }: { written: KeyWritten }) {
  const i18n = useI18n()
  const { t } = i18n
  const go = useGo()
  const key = written.object
  const secret = written.secret ?? ''
  const [stored, setStored] = useState(false)
  // Only a copy that worked counts.
  const { copied, copy } = useCopy(secret)
  useEffect(() => {
    if (copied) setStored(true)
  }, [copied])
  const blocker = useBlocker({
    shouldBlockFn: () => !stored,
    enableBeforeUnload: () => !stored,
    withResolver: true,
  })
  const download = () => {
    const href = URL.createObjectURL(new Blob([envFile(key.alias, secret)], { type: 'text/plain' }))
    const a = document.createElement('a')
    a.href = href
    a.download = `${key.id}.env`
    a.click()
    URL.revokeObjectURL(href)
    setStored(true)
  }
  return (
    <Stack>
      {written.problems.map((p) => (
        <Notice key={p.code} tone="warn">
          {explainProblem(p, i18n)}
        </Notice>
      ))}
      <Card title={t('keys.secret')}>
        <Stack>
          <Notice tone={stored ? 'ok' : 'warn'}>{t(stored ? 'keys.secretStored' : 'keys.secretOnce')}</Notice>
          <div className={css.secret}>
            <code>{secret}</code>
            <Row>
              <Button
                small
                icon={copied ? CheckIcon : CopyIcon}
                onClick={copy}
                aria-label={t('ui.copyOf', { what: t('keys.secret') })}
              >
                {t(copied ? 'ui.copied' : 'ui.copy')}
              </Button>
              <Button small icon={DownloadIcon} onClick={download}>
                {t('keys.download')}
              </Button>
            </Row>
          </div>
          <Row>
            {stored ? (
              <Button look="primary" onClick={() => go(`/keys/${key.id}`)}>
                {t('keys.toKey')}
              </Button>
            ) : (
              <Button look="primary" icon={CheckIcon} onClick={() => setStored(true)}>
                {t('keys.iStored')}
              </Button>
            )}
          </Row>
        </Stack>
      </Card>
      <Calls written={written} secret={secret} />
      <Dialog
        open={blocker.status === 'blocked'}
        onClose={() => blocker.reset?.()}
        title={t('keys.leaveTitle')}
        foot={
          <>
            <Button
              onClick={() => {
                setStored(true)
                blocker.proceed?.()
              }}
            >
              {t('keys.leaveStored')}
            </Button>
            <Button look="primary" onClick={() => blocker.reset?.()} data-autofocus>
              {t('shell.stay')}
            </Button>
          </>
        }
      >
        {t('keys.leaveHelp')}
      </Dialog>
    </Stack>
  )
}

/** A command for each API that the key may call. */
function Calls({ written, secret }: { written: KeyWritten; secret: string }) {
  const { t } = useI18n()
  const { can } = useSession()
  const { expiresAt: _, ...draft } = editable(written.object)
  const preview = usePreview(draft)
  const rights = preview.data?.rights ?? []
  const every = rights.some((r) => r.api === everyApi)
  const some = useList('GET /apis', { sort: 'name' }, { enabled: every && can('apis:read'), limit: most })
  if (!can('apis:read') || preview.error) return null
  const named = rights.filter((r) => r.api !== everyApi).map((r) => r.api)
  const ids = every ? some.items.map((a) => a.meta.id) : named
  if (preview.isPending) return <Skeleton height={120} />
  if (ids.length === 0) return null
  return (
    <Card title={t('keys.tryIt')}>
      <Stack>
        {ids.slice(0, most).map((id) => (
          <OneCall key={id} id={id} secret={secret} />
        ))}
        {(every || ids.length > most) && <p className="muted small">{t('keys.moreApis')}</p>}
      </Stack>
    </Card>
  )
}

function OneCall({ id, secret }: { id: string; secret: string }) {
  const { t } = useI18n()
  const { can } = useSession()
  const api = useRead('GET /apis/{id}', { path: { id } })
  const nodes = useRead('GET /gateways', undefined, { enabled: can('gateways:read') })
  if (api.error && !api.data) return null
  if (!api.data) return <Skeleton height={60} />
  return <Command api={api.data} secret={secret} nodes={nodes.data?.items ?? []} none={t('keys.otherCredential')} />
}

function Command({ api, secret, nodes, none }: { api: API; secret: string; nodes: Node[]; none: string }) {
  const { t } = useI18n()
  const takes = keyPlaceOf(api.object) !== undefined || accessOf(api.object).open === 'all'
  const { url } = urlOf(api.object, nodes, window.location.hostname)
  const command = takes ? callWith(api.object, url, secret) : undefined
  return (
    <div>
      <h3 className={css.small}>{api.object.name}</h3>
      {command ? (
        <CodeBlock text={command} label={t('keys.curlOf', { api: api.object.name })} wrap />
      ) : (
        <p className="muted">{none}</p>
      )}
      {command?.includes('$GATEWAY') && <p className="muted small">{t('keys.setGateway')}</p>}
    </div>
  )
}
