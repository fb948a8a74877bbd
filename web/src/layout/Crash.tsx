import { useI18n } from '../i18n'
import { Button } from '../ui/Button'
import { AlertIcon } from '../ui/icons'
import { EmptyState } from '../ui/States'
import css from './Shell.module.css'

/** Whether a page's file is gone because the dashboard was updated since this one was loaded. */
export function outdated(error: unknown): boolean {
  return (
    error instanceof Error &&
    /dynamically imported module|Importing a module script failed|error loading dynamically/i.test(error.message)
  )
}

/** What stands in the place of a page that failed; everything around it works on. */
export function Crash({ error, reset }: { error: unknown; reset?: () => void }) {
  const { t } = useI18n()
  const old = outdated(error)
  return (
    <div role="alert" className={css.crash}>
      <EmptyState
        icon={AlertIcon}
        title={old ? t('shell.moved') : t('shell.crashed')}
        actions={
          <>
            <Button look="primary" onClick={() => window.location.reload()}>
              {t('shell.reload')}
            </Button>
            {reset && !old && <Button onClick={reset}>{t('ui.retry')}</Button>}
          </>
        }
      >
        {!old && (
          <>
            <p>{t('shell.crashedHelp')}</p>
            <pre>{error instanceof Error ? error.message : String(error)}</pre>
          </>
        )}
      </EmptyState>
    </div>
  )
}
