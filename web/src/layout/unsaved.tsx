import { useBlocker } from '@tanstack/react-router'
import { useI18n } from '../i18n'
import { Button } from '../ui/Button'
import { Dialog } from '../ui/Overlay'

/** Asks before a page with changes that are not saved is left, also by closing the tab. Put it into the page's form. */
export function Unsaved({ when }: { when: boolean }) {
  const { t } = useI18n()
  const blocker = useBlocker({
    shouldBlockFn: ({ current, next }) => when && current.pathname !== next.pathname,
    enableBeforeUnload: () => when,
    withResolver: true,
  })
  const blocked = blocker.status === 'blocked'
  return (
    <Dialog
      open={blocked}
      onClose={() => blocker.reset?.()}
      title={t('shell.leaveTitle')}
      foot={
        <>
          <Button look="dangerQuiet" onClick={() => blocker.proceed?.()}>
            {t('shell.leave')}
          </Button>
          <Button look="primary" onClick={() => blocker.reset?.()} data-autofocus>
            {t('shell.stay')}
          </Button>
        </>
      }
    >
      {t('shell.leaveHelp')}
    </Dialog>
  )
}
