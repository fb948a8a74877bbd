import type { ReactNode } from 'react'
import type { RequestCapture, RequestRecord } from '../../api/schema'
import { isSecret } from '../../curl'
import { useI18n } from '../../i18n'
import { useSession } from '../../session'
import { CodeBlock, CopyText } from '../../ui/Code'
import { Link } from '../../ui/Link'
import { Facts, Stack } from '../../ui/Page'
import { showBody } from './body'
import { Flags, Instant, StatusCode, span } from './Cells'
import css from './Requests.module.css'
import { NodeName } from './TokenNames'
import { useSummary } from './useSummary'

/** Everything that was recorded of one request. */
export function RequestView({ record: r }: { record: RequestRecord }) {
  const { t } = useI18n()
  const summary = useSummary(r)
  return (
    <Stack>
      <div className={css.lead}>
        <div className={css.line}>
          <StatusCode status={r.status} />
          <code>
            {r.method} {r.path}
          </code>
          <Flags flags={r.flags} />
        </div>
        <p>{summary}</p>
      </div>
      <Part title={t('requests.timeline')}>
        <Timeline record={r} />
      </Part>
      <Part title={t('requests.request')}>
        <RequestFacts record={r} />
        <Capture capture={r.request} what={t('requests.request')} />
      </Part>
      <Part title={t('requests.response')}>
        <ResponseFacts record={r} />
        <Capture capture={r.response} what={t('requests.response')} />
      </Part>
      <Part title={t('requests.caller')}>
        <Caller record={r} />
      </Part>
      <Part title={t('requests.served')}>
        <Served record={r} />
      </Part>
    </Stack>
  )
}

function Part({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className={css.part}>
      <h3>{title}</h3>
      {children}
    </section>
  )
}

/** Two spans: until the upstream's head, and the rest, which is the gateway's own work and the transfer. */
function Timeline({ record: r }: { record: RequestRecord }) {
  const { t, format } = useI18n()
  const share = r.totalMs > 0 ? Math.min(1, r.upstreamMs / r.totalMs) : 0
  return (
    <div className={css.timeline}>
      <svg viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden>
        <rect className={css.upstream} width={100 * share} height="10" />
        <rect className={css.gateway} x={100 * share} width={100 * (1 - share)} height="10" />
      </svg>
      <dl>
        <dt>
          <i className={css.upstream} /> {t('requests.upstreamTime')}
        </dt>
        <dd>{span(r.upstreamMs, format)}</dd>
        <dt>
          <i className={css.gateway} /> {t('requests.gatewayTime')}
        </dt>
        <dd>{span(r.gatewayMs, format)}</dd>
        <dt>{t('requests.took')}</dt>
        <dd>{span(r.totalMs, format)}</dd>
      </dl>
    </div>
  )
}

function RequestFacts({ record: r }: { record: RequestRecord }) {
  const { t, format } = useI18n()
  return (
    <Facts
      facts={[
        [t('requests.time'), <Instant key="at" at={r.at} />],
        [t('requests.host'), <code key="host">{r.host}</code>],
        [t('requests.query'), r.query && <code>{r.query}</code>],
        [t('requests.protocol'), r.protocol && `${(r.scheme ?? '').toUpperCase()} ${r.protocol}`.trim()],
        [t('requests.size'), format.bytes(r.bytesIn)],
        [t('requests.requestId'), r.requestId && <CopyText text={r.requestId} what={t('requests.requestId')} />],
        [t('requests.traceId'), r.traceId && <CopyText text={r.traceId} what={t('requests.traceId')} />],
      ]}
    />
  )
}

function ResponseFacts({ record: r }: { record: RequestRecord }) {
  const { t, format } = useI18n()
  return (
    <Facts
      facts={[
        [t('requests.status'), <StatusCode key="status" status={r.status} />],
        [t('requests.refusal'), r.refusal && <code>{r.refusal}</code>],
        [t('requests.target'), r.target && <code>{r.target}</code>],
        [t('requests.attempts'), r.attempts > 1 ? format.count(r.attempts) : undefined],
        [t('requests.error'), r.error && <code>{r.error}</code>],
        [t('requests.size'), format.bytes(r.bytesOut)],
      ]}
    />
  )
}

function Caller({ record: r }: { record: RequestRecord }) {
  const { t } = useI18n()
  const { can } = useSession()
  const name = r.keyAlias ?? r.key
  return (
    <Facts
      facts={[
        [
          t('requests.key'),
          <Named key="key" to={r.key && can('keys:read') ? `/keys/${r.key}` : ''} name={name ?? t('requests.noKey')} />,
        ],
        [t('requests.policies'), r.policies.join(', ')],
        [t('requests.oauthClient'), r.oauthClient],
        [t('requests.client'), r.client && <code>{r.client}</code>],
        [t('requests.country'), r.country],
        [t('requests.userAgent'), r.userAgent],
        [t('requests.tags'), r.tags.join(', ')],
      ]}
    />
  )
}

function Served({ record: r }: { record: RequestRecord }) {
  const { t, format } = useI18n()
  const { can } = useSession()
  return (
    <Facts
      facts={[
        [
          t('requests.api'),
          <Named
            key="api"
            to={r.api?.name !== undefined && can('apis:read') ? `/apis/${r.api.id}` : ''}
            name={r.api ? (r.api.name ?? r.api.id) : t('titles.noApi')}
          />,
        ],
        [t('requests.version'), r.version],
        [t('requests.endpoint'), r.route && <code>{r.route}</code>],
        [t('requests.node'), <NodeName key="node" id={r.node} />],
        [t('requests.group'), r.group],
        [
          t('requests.generation'),
          r.generation > 0 ? (
            <Named key="generation" to={can('revisions:read') ? `/revisions/${r.generation}` : ''} name={String(r.generation)} />
          ) : undefined,
        ],
        [t('requests.sample'), r.sample < 1 ? format.percent(r.sample) : undefined],
      ]}
    />
  )
}

/** A name, as a link where there is something to open. */
function Named({ to, name }: { to: string; name: string }) {
  return to ? <Link to={to}>{name}</Link> : name
}

/** Headers and body, where they were recorded. */
function Capture({ capture, what }: { capture: RequestCapture | undefined; what: string }) {
  const { t, format } = useI18n()
  if (!capture) return <p className="muted small">{t('requests.notRecorded')}</p>
  const body = showBody(capture)
  return (
    <div className={css.capture}>
      {capture.headers.length > 0 && (
        <dl className={css.headers}>
          {capture.headers.map(([name = '', value = ''], i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a header may stand twice
            <div key={`${name}${i}`}>
              <dt>{name}</dt>
              <dd className={isSecret(name) ? 'muted' : undefined}>{value}</dd>
            </div>
          ))}
        </dl>
      )}
      {body.kind === 'none' ? (
        <p className="muted small">{t(capture.size > 0 ? 'requests.bodyNotRecorded' : 'requests.bodyEmpty')}</p>
      ) : (
        <>
          <CodeBlock
            text={body.text}
            label={t('requests.bodyOf', { what })}
            copy={body.kind === 'hex' ? body.text : capture.body}
          />
          {capture.truncated && <p className="muted small">{t('requests.truncated', { size: format.bytes(capture.size) })}</p>}
        </>
      )}
    </div>
  )
}
