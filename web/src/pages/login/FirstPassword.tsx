import { useQueryClient } from '@tanstack/react-query'
import { sessionKey } from '../../api/query'
import { PasswordForm } from '../../form/PasswordForm'
import { useI18n } from '../../i18n'
import { signOut } from '../../session'
import { Button } from '../../ui/Button'
import { toast } from '../../ui/Toast'
import css from './Login.module.css'

/** A one-time password opens nothing but this. */
export function FirstPassword({ login }: { login: string }) {
  const { t } = useI18n()
  const client = useQueryClient()
  return (
    <>
      <p className="muted">{t('login.changeHelp')}</p>
      <div className={css.form}>
        <PasswordForm
          login={login}
          oldLabel={t('login.oldPassword')}
          action={t('login.change')}
          onDone={() => {
            toast({ text: t('login.changed') })
            void client.invalidateQueries({ queryKey: sessionKey })
          }}
        />
      </div>
      <div className={css.below}>
        <Button look="ghost" small onClick={() => void signOut().catch(() => undefined)}>
          {t('shell.signOut')}
        </Button>
      </div>
    </>
  )
}
