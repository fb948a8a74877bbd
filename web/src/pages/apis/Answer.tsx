import type { RunAnswer } from '../../api/schema'
import { useI18n } from '../../i18n'
import { CodeBlock } from '../../ui/Code'
import { Notice } from '../../ui/States'
import { StatusPill } from '../../ui/Status'
import css from './Answer.module.css'

/** What came back through a gateway: status, time, headers and body; pale while the next answer is under way. */
export function Answer({ answer, old }: { answer: RunAnswer; old: boolean }) {
  const { t, find, format } = useI18n()
  if (answer.status === 0) return <Notice tone="bad">{t('newApi.runFailed', { error: answer.error ?? '' })}</Notice>
  const tone = answer.status < 400 ? 'ok' : answer.status < 500 ? 'warn' : 'bad'
  const shape = tone === 'ok' ? 'dot' : tone === 'warn' ? 'triangle' : 'square'
  const refusal = answer.status >= 500 ? codeOf(answer.body) : undefined
  const advice = refusal?.startsWith('upstream.') ? find(`errors.${refusal}`) : undefined
  return (
    <section className={css.answer} aria-label={t('newApi.runTitle')} aria-busy={old}>
      <div className={css.head} role="status">
        <StatusPill shape={shape} tone={tone}>
          {String(answer.status)}
        </StatusPill>
        <span className="muted">{format.duration(answer.ms)}</span>
      </div>
      {advice && <Notice tone="warn">{advice}</Notice>}
      <div>
        <h3 className={css.small}>{t('newApi.headers')}</h3>
        <dl className={css.headers}>
          {answer.headers.map(([name, value], i) => (
            // biome-ignore lint/suspicious/noArrayIndexKey: a header may come twice, and the list never changes
            <div key={i} style={{ display: 'contents' }}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </div>
      <div>
        <h3 className={css.small}>{t('newApi.body')}</h3>
        {answer.body === '' ? (
          <p className="small muted">{t('newApi.bodyEmpty')}</p>
        ) : (
          <CodeBlock label={t('newApi.body')} text={pretty(answer)} copy={answer.body} wrap />
        )}
        {answer.bodyEncoding === 'base64' && <p className="small muted">{t('newApi.bodyBinary')}</p>}
        {answer.truncated && <p className="small muted">{t('newApi.bodyCut')}</p>}
        {answer.error && <p className="small muted">{answer.error}</p>}
      </div>
    </section>
  )
}

/** JSON with line breaks; everything else as it came. */
function pretty({ body, bodyEncoding, headers }: RunAnswer): string {
  const json = headers.some(([name, value]) => name?.toLowerCase() === 'content-type' && /json/.test(value ?? ''))
  if (!json || bodyEncoding !== 'utf-8') return body
  try {
    return JSON.stringify(JSON.parse(body), null, 2)
  } catch {
    return body
  }
}

/** The code of an answer that the gateway made in the upstream's place. */
function codeOf(body: string): string | undefined {
  try {
    const code: unknown = JSON.parse(body)?.code
    return typeof code === 'string' ? code : undefined
  } catch {
    return undefined
  }
}
