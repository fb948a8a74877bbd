import { useState } from 'react'
import { ApiError, call } from '../../../api/client'
import { explain, explainProblem } from '../../../api/errors'
import { type Publish, usePublish } from '../../../api/publish'
import { invalidate, useRead } from '../../../api/query'
import type { API, KeyWritten, Problem, RunAnswer } from '../../../api/schema'
import { accessOf, callWith, keyPlaceOf, listenOf, urlOf, withKey, withQuery } from '../../../definition/read'
import { useI18n } from '../../../i18n'
import { PublishView } from '../../../publish/PublishTicks'
import { useSession } from '../../../session'
import { Button } from '../../../ui/Button'
import { CodeBlock, CopyText } from '../../../ui/Code'
import { KeyIcon, PlayIcon, PlusIcon } from '../../../ui/icons'
import { Link, LinkButton } from '../../../ui/Link'
import { Card, PageHeader, Stack } from '../../../ui/Page'
import { ErrorNotice, Notice } from '../../../ui/States'
import { TextInput } from '../../../ui/TextInput'
import { AccessBadge } from '../AccessBadge'
import { Answer } from '../Answer'
import css from './Create.module.css'

interface ResultProps {
  api: API
  revision: number
  /** Warnings of the creation. */
  problems: Problem[]
  onAnother: () => void
}

/** What stands in the form's place: how far the revision is, a key, a command that works, its answer. */
export function Result({ api, revision, problems, onAnother }: ResultProps) {
  const i18n = useI18n()
  const { t } = i18n
  const publish = usePublish(revision)
  const { id } = api.meta
  return (
    <>
      <PageHeader
        title={t('newApi.created', { name: api.object.name })}
        state={accessOf(api.object).open !== 'no' && <AccessBadge definition={api.object} />}
        sub={<CopyText text={id} what={t('newApi.createdSub', { id })} />}
        actions={
          <Button icon={PlusIcon} onClick={onAnother}>
            {t('newApi.another')}
          </Button>
        }
      />
      <Stack>
        <Card>
          <PublishView publish={publish} />
        </Card>
        {problems.length > 0 && (
          <Notice tone="warn">
            <b>{t('newApi.warnings')}</b>
            <ul>
              {problems.map((p) => (
                <li key={p.path + p.code}>{explainProblem(p, i18n)}</li>
              ))}
            </ul>
          </Notice>
        )}
        <TryIt api={api} publish={publish} />
        <Card title={t('newApi.next')}>
          <div className={css.next}>
            <LinkButton to={`/apis/${id}`}>{t('newApi.openApi')}</LinkButton>
            <LinkButton to={`/requests?api=${id}`}>{t('newApi.watch')}</LinkButton>
          </div>
        </Card>
      </Stack>
    </>
  )
}

function TryIt({ api, publish }: { api: API; publish: Publish }) {
  const { t } = useI18n()
  const { can } = useSession()
  const { object, meta } = api
  const { data } = useRead('GET /gateways', undefined, { live: true, enabled: can('gateways:read') })
  const place = keyPlaceOf(object)
  const listen = listenOf(object)
  const [path, setPath] = useState(listen.path)
  const [made, setMade] = useState<KeyWritten | null>(null)
  const [answer, setAnswer] = useState<RunAnswer | null>(null)
  const [error, setError] = useState<unknown>(null)
  const [busy, setBusy] = useState(false)
  const { base, told } = urlOf(object, data?.items ?? [], window.location.hostname)
  const through = publish.nodes.find((n) => n.state === 'applied')

  const run = () => {
    const { headers, query } = withKey(made?.secret ? place : undefined, made?.secret ?? '')
    setBusy(true)
    setError(null)
    call('POST /apis/{id}/run', {
      path: { id: meta.id },
      body: { method: 'GET', path: withQuery(path, query), node: through?.id, headers },
      timeout: 40_000,
    })
      .then(setAnswer, (e: unknown) => {
        setAnswer(null)
        setError(e)
      })
      .finally(() => setBusy(false))
  }
  return (
    <Card title={t('newApi.tryIt')}>
      <Stack>
        {place && <TestKey api={api} made={made} onMade={setMade} />}
        <div className={css.call}>
          <TextInput
            label={t('newApi.path')}
            mono
            value={path}
            readOnly={listen.exact}
            onChange={(e) => setPath(e.target.value)}
          />
          <Button
            look="primary"
            icon={PlayIcon}
            busy={busy}
            disabled={!can('apis:write') ? t('ui.denied', { permission: 'apis:write' }) : through ? false : t('newApi.runLater')}
            onClick={run}
          >
            {t('newApi.run')}
          </Button>
        </div>
        <CodeBlock label={t('newApi.curl')} text={callWith(object, base + path, made?.secret)} wrap />
        {data && !told && <p className="small muted">{t('api.curlNoAddress')}</p>}
        <ErrorNotice error={error} />
        {answer && <Answer answer={answer} old={busy} />}
      </Stack>
    </Card>
  )
}

/** Makes a key that may call this API alone. Its secret stays in this page's memory. */
function TestKey({ api, made, onMade }: { api: API; made: KeyWritten | null; onMade: (k: KeyWritten) => void }) {
  const i18n = useI18n()
  const { t } = i18n
  const { can } = useSession()
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<unknown>(null)
  const make = () => {
    setBusy(true)
    setError(null)
    call('POST /keys', {
      body: { alias: t('newApi.keyName', { name: [...api.object.name].slice(0, 60).join('') }), rights: [{ api: api.meta.id }] },
    })
      .then((k) => {
        void invalidate('/keys')
        onMade(k)
      }, setError)
      .finally(() => setBusy(false))
  }
  if (made?.secret) {
    return (
      <div className={css.secret}>
        <Notice tone="ok">{t('newApi.keyDone')}</Notice>
        <CodeBlock label={t('newApi.keyTitle')} text={made.secret} wrap />
      </div>
    )
  }
  const lost = error instanceof ApiError && (error.status === 0 || error.code === 'unreadable')
  return (
    <div className={css.secret}>
      {lost ? (
        <Notice tone="warn" action={<Link to="/keys">{t('titles.keys')}</Link>}>
          {t('newApi.keyLost')} <span className="muted">{explain(error, i18n)}</span>
        </Notice>
      ) : (
        <ErrorNotice error={error} />
      )}
      <Notice
        action={
          <Button
            small
            icon={KeyIcon}
            busy={busy}
            disabled={can('keys:write') ? false : t('ui.denied', { permission: 'keys:write' })}
            onClick={make}
          >
            {t('newApi.keyCreate')}
          </Button>
        }
      >
        {t('newApi.keyNeeded')}
      </Notice>
    </div>
  )
}
