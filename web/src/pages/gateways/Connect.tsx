import { useI18n } from '../../i18n'
import { CodeBlock } from '../../ui/Code'
import { ServerIcon } from '../../ui/icons'
import { EmptyState } from '../../ui/States'
import css from './Fleet.module.css'

/** The least that a gateway's file must say. */
const example = `redis:
  addresses: [REDIS_HOST:6379]
trust:
  dir: /etc/sluice/trust
`

/** No gateway is there: what one is and how it comes. */
export function Connect() {
  const { t } = useI18n()
  return (
    <EmptyState icon={ServerIcon} title={t('gateways.empty')}>
      <p>{t('gateways.emptyHelp')}</p>
      <div className={css.how}>
        <p>{t('gateways.emptyKeys')}</p>
        <CodeBlock text={example} label={t('gateways.emptyExample')} />
      </div>
    </EmptyState>
  )
}
