import { useRead } from '../../../api/query'
import { callWith, urlOf } from '../../../definition/read'
import { useI18n } from '../../../i18n'
import { useSession } from '../../../session'
import { CodeBlock } from '../../../ui/Code'
import { ArrowRightIcon } from '../../../ui/icons'
import { Card, Stack } from '../../../ui/Page'
import { StatusPill } from '../../../ui/Status'
import css from './Create.module.css'
import { definitionOf, type Fields, forwarded } from './draft'

/** What will come of the form: the URL, the way of a request, a command, and the text that is sent. */
export function Preview({ fields }: { fields: Fields }) {
  const { t, rich } = useI18n()
  const { can } = useSession()
  const { data } = useRead('GET /gateways', undefined, { live: true, enabled: can('gateways:read') })
  const definition = definitionOf(fields)
  const { url, base, told } = urlOf(definition, data?.items ?? [], window.location.hostname)
  const rest = fields.match === 'exact' ? '' : '/42'
  const from = fields.path.trim().replace(/\/+$/, '') + rest || '/'
  const open = fields.auth === 'none'
  const sample = callWith(definition, fields.path.trim() ? url : `${base}/…`)
  return (
    <aside className={css.preview} aria-label={t('newApi.preview')}>
      <Card
        title={t('newApi.preview')}
        aside={
          open && (
            <StatusPill shape="ring" tone="warn">
              {t('apis.open')}
            </StatusPill>
          )
        }
      >
        <Stack>
          <div>
            <h3 className={css.small}>{t('newApi.url')}</h3>
            <code className={css.url}>{fields.path.trim() ? url : `${base}/…`}</code>
            {data && !told && <p className="small muted">{t('newApi.noPort')}</p>}
          </div>
          <div>
            <h3 className={css.small}>{t('newApi.chain')}</h3>
            <ol className={css.chain}>
              <li>{t('newApi.chainClient')}</li>
              <li>
                <ArrowRightIcon size={14} aria-hidden />
                <code>{fields.path.trim() || '/…'}</code>
              </li>
              <li data-tone={open ? 'warn' : undefined}>
                <ArrowRightIcon size={14} aria-hidden />
                <span>{t(open ? 'newApi.chainAccessNone' : 'newApi.chainAccessKey')}</span>
              </li>
              <li>
                <ArrowRightIcon size={14} aria-hidden />
                <code>{fields.upstream.trim().replace(/^https?:\/\//, '') || t('newApi.chainUpstream')}</code>
              </li>
            </ol>
            {fields.path.trim() && fields.upstream.trim() && (
              <p className="small muted">
                {rich('newApi.example', {
                  method: 'GET',
                  from: <code>{from}</code>,
                  to: <code>{forwarded(fields, rest)}</code>,
                })}
              </p>
            )}
          </div>
          <div>
            <h3 className={css.small}>{t('newApi.curl')}</h3>
            <CodeBlock label={t('newApi.curl')} text={sample} wrap />
          </div>
          <details className={css.json}>
            <summary>{t('newApi.json')}</summary>
            <CodeBlock label={t('newApi.json')} text={JSON.stringify(definition, null, 2)} />
          </details>
        </Stack>
      </Card>
    </aside>
  )
}
