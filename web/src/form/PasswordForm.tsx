import { useId, useState } from 'react'
import { useForm } from 'react-hook-form'
import { call } from '../api/client'
import type { Problem } from '../api/schema'
import { useI18n } from '../i18n'
import { Button } from '../ui/Button'
import { Stack } from '../ui/Page'
import { ErrorNotice } from '../ui/States'
import { PasswordInput } from '../ui/TextInput'
import { placeProblems } from './problems'

const minimum = 12

interface Fields {
  old: string
  new: string
  again: string
}

/** Changes one's own password. The server judges it; what is checked here only saves a way. */
export function PasswordForm({
  login,
  oldLabel,
  action,
  onDone,
}: {
  login: string
  oldLabel: string
  action: string
  onDone: () => void
}) {
  const i18n = useI18n()
  const { t } = i18n
  const form = useForm<Fields>({ defaultValues: { old: '', new: '', again: '' }, mode: 'onBlur', reValidateMode: 'onChange' })
  const { errors, isSubmitting } = form.formState
  const [refused, setRefused] = useState<{ error: unknown; rest: Problem[] } | null>(null)
  const id = useId()
  const submit = form.handleSubmit(async (v) => {
    setRefused(null)
    try {
      await call('PUT /session/password', { body: { old: v.old, new: v.new } })
      form.reset()
      onDone()
    } catch (error) {
      const rest = placeProblems(form, error, i18n, { '/old': 'old', '/new': 'new' })
      const placed = form.getFieldState('old').error ?? form.getFieldState('new').error
      if (!placed || rest.length > 0) setRefused({ error, rest })
    }
  })
  return (
    <form onSubmit={submit} noValidate aria-labelledby={id}>
      <Stack>
        {refused && <ErrorNotice error={refused.error} problems={refused.rest} />}
        <input type="text" name="username" autoComplete="username" value={login} readOnly hidden />
        <PasswordInput
          label={oldLabel}
          autoComplete="current-password"
          {...form.register('old', { required: t('login.missingPassword') })}
          error={errors.old?.message}
        />
        <PasswordInput
          label={t('login.newPassword')}
          help={t('login.passwordHelp')}
          autoComplete="new-password"
          {...form.register('new', {
            minLength: { value: minimum, message: t('login.short', { min: minimum }) },
            required: t('login.short', { min: minimum }),
          })}
          error={errors.new?.message}
        />
        <PasswordInput
          label={t('login.again')}
          autoComplete="new-password"
          {...form.register('again', { validate: (again, all) => again === all.new || t('login.againWrong') })}
          error={errors.again?.message}
        />
        <div>
          <Button id={id} look="primary" type="submit" busy={isSubmitting}>
            {action}
          </Button>
        </div>
      </Stack>
    </form>
  )
}
