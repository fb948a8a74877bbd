import { useState } from 'react'
import { call } from '../../../api/client'
import { usePublish } from '../../../api/publish'
import { useRead } from '../../../api/query'
import type { RunAnswer } from '../../../api/schema'
import { callWith, keyPlaceOf, withKey, withQuery } from '../../../definition/read'
import { labelOf } from '../../../form/schema'
import { useI18n } from '../../../i18n'
import { PublishView } from '../../../publish/PublishTicks'
import { useSession } from '../../../session'
import { Button } from '../../../ui/Button'
import { CodeBlock } from '../../../ui/Code'
import { PlayIcon } from '../../../ui/icons'
import { Link } from '../../../ui/Link'
import { Card, Facts as FactList, Row, Stack } from '../../../ui/Page'
import { Select } from '../../../ui/Select'
import { EmptyState, ErrorNotice, ErrorState, Notice, Skeleton } from '../../../ui/States'
import { StatusPill } from '../../../ui/Status'
import { PasswordInput, TextArea, TextInput } from '../../../ui/TextInput'
import { StatusCode, span } from '../../requests/Cells'
import { Answer } from '../Answer'
import css from './Api.module.css'
import type { Version } from './draft'
import type { Facts } from './facts'

/** What an API is, where it runs, how it is called and what reached it. */
export function Overview({
  id,
  version,
  facts,
  base,
  told,
}: {
  id: string
  version: Version
  facts: Facts
  /** Scheme and host at which it is called. */
  base: string
  /** Whether a gateway said so. */
  told: boolean
}) {
  const { t } = useI18n()
  const publish = usePublish(version.revision)
  return (
    <Stack>
      {!facts.active && <Notice>{t('api.disabledNote')}</Notice>}
      <div className={css.overview}>
        <Stack>
          <FactCard version={version} facts={facts} />
          <Card title={t('api.nodes')}>
            <PublishView publish={publish} />
          </Card>
        </Stack>
        <Try id={id} version={version} facts={facts} base={base} told={told} key={`${facts.path} ${facts.keyName}`} />
      </div>
      <LastRequests id={id} />
    </Stack>
  )
}

function FactCard({ version, facts }: { version: Version; facts: Facts }) {
  const i18n = useI18n()
  const { t, format } = i18n
  const lines = (all: string[]) => (
    <span className={css.lines}>
      {all.map((x) => (
        <code key={x}>{x}</code>
      ))}
    </span>
  )
  const auth = { open: 'api.authOpen', key: 'api.authKey', other: 'api.authOther' } as const
  return (
    <Card title={t('api.facts')}>
      <Stack>
        {facts.description && <p>{facts.description}</p>}
        <FactList
          facts={[
            [t('api.listenPath'), <code key="path">{facts.path}</code>],
            [t('api.domains'), facts.domains.length > 0 ? lines(facts.domains) : t('api.anyHost')],
            [t('api.targets'), lines(facts.targets)],
            [
              t('api.auth'),
              facts.auth === 'open' ? (
                <StatusPill key="auth" shape="triangle" tone="warn">
                  {t('api.authOpen')}
                </StatusPill>
              ) : (
                <span key="auth">
                  {t(auth[facts.auth])} {facts.keyName && <code>{facts.keyName}</code>}
                </span>
              ),
            ],
            [t('api.groups'), facts.groups.length > 0 ? facts.groups.join(', ') : t('api.everyGroup')],
            [
              t('api.filtersOn'),
              <span key="filters" className={css.chips}>
                {facts.filters.map((f) => (
                  <span key={f} className={css.chip}>
                    {labelOf(['filters', f], i18n)}
                  </span>
                ))}
              </span>,
            ],
            [t('api.endpoints'), facts.endpoints > 0 ? format.count(facts.endpoints) : undefined],
            [
              t('api.changedAt'),
              <Link key="revision" to={`/revisions/${version.revision}`} look="quiet">
                {t('api.changedBy', { revision: String(version.revision), name: version.by, time: format.dateTime(version.at) })}
              </Link>,
            ],
          ]}
        />
      </Stack>
    </Card>
  )
}

const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']

function Try({ id, version, facts, base, told }: { id: string; version: Version; facts: Facts; base: string; told: boolean }) {
  const { t } = useI18n()
  const { can } = useSession()
  const [method, setMethod] = useState('GET')
  const [path, setPath] = useState(facts.path)
  const [key, setKey] = useState('')
  const [body, setBody] = useState('')
  const [busy, setBusy] = useState(false)
  const [done, setDone] = useState<{ answer?: RunAnswer; error?: unknown } | null>(null)
  const run = async () => {
    setBusy(true)
    try {
      const { headers, query } = withKey(key ? keyPlaceOf(version.value) : undefined, key)
      const answer = await call('POST /apis/{id}/run', {
        path: { id },
        body: { method, path: withQuery(path, query), headers, ...(body && { body }) },
        timeout: 35_000,
      })
      setDone({ answer })
    } catch (error) {
      setDone({ error })
    } finally {
      setBusy(false)
    }
  }
  return (
    <Card title={t('api.tryIt')}>
      <Stack>
        <CodeBlock text={callWith(version.value, base + path)} label={t('api.curl')} wrap />
        {!told && <p className="small muted">{t('api.curlNoAddress')}</p>}
        <form
          onSubmit={(e) => {
            e.preventDefault()
            if (!busy && can('apis:write')) void run()
          }}
        >
          <Stack>
            <div className={css.ask}>
              <Select
                label={t('api.method')}
                value={method}
                onChange={(e) => setMethod(e.target.value)}
                options={methods.map((m) => ({ value: m, label: m }))}
              />
              <TextInput label={t('api.path')} mono value={path} onChange={(e) => setPath(e.target.value)} />
              {facts.keyName && (
                <PasswordInput
                  label={t('api.key')}
                  help={t('api.keyHelp', { header: facts.keyName })}
                  autoComplete="off"
                  value={key}
                  onChange={(e) => setKey(e.target.value)}
                />
              )}
              {/^(POST|PUT|PATCH)$/.test(method) && (
                <TextArea label={t('api.body')} mono rows={4} value={body} onChange={(e) => setBody(e.target.value)} />
              )}
            </div>
            <Row>
              <Button type="submit" icon={PlayIcon} busy={busy} disabled={can('apis:write') ? false : t('api.writeDenied')}>
                {t('api.run')}
              </Button>
              <span className="small muted">{t('api.tryHelp')}</span>
            </Row>
          </Stack>
        </form>
        {done?.error !== undefined && <ErrorNotice error={done.error} />}
        {done?.answer && <Answer answer={done.answer} old={busy} />}
      </Stack>
    </Card>
  )
}

/** The newest requests that matched the API. */
function LastRequests({ id }: { id: string }) {
  const { t, format } = useI18n()
  const { can } = useSession()
  const may = can('requests:read')
  const { data, error, refetch } = useRead('GET /requests', { query: { api: id, limit: 10 } }, { live: true, enabled: may })
  const all = `/requests?api=${encodeURIComponent(id)}`
  return (
    <Card title={t('api.requests')} flush aside={may && <Link to={all}>{t('api.allRequests')}</Link>}>
      {!may ? (
        <EmptyState title={t('api.requestsDenied')} />
      ) : error && !data ? (
        <ErrorState error={error} onRetry={() => void refetch()} />
      ) : !data ? (
        <div style={{ padding: 16 }}>
          <Skeleton height={120} />
        </div>
      ) : data.items.length === 0 ? (
        <EmptyState title={t('api.noRequests')}>{t('api.noRequestsHelp')}</EmptyState>
      ) : (
        <table className={css.requests}>
          <thead>
            <tr>
              <th scope="col">{t('api.time')}</th>
              <th scope="col">{t('api.request')}</th>
              <th scope="col">{t('api.status')}</th>
              <th scope="col" className={css.end}>
                {t('api.duration')}
              </th>
            </tr>
          </thead>
          <tbody>
            {data.items.map((r) => (
              <tr key={r.id}>
                <td className="muted">{format.time(r.at)}</td>
                <td>
                  <Link to={`/requests/${encodeURIComponent(r.id)}`} look="quiet" className="truncate">
                    <span className={css.mono}>
                      {r.method} {r.path}
                    </span>
                  </Link>
                </td>
                <td>
                  <StatusCode status={r.status} />
                </td>
                <td className={css.end}>{span(r.totalMs, format)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </Card>
  )
}
