import { useId, useState } from 'react'
import { useForm } from 'react-hook-form'
import { call } from '../api/client'
import type { Problem } from '../api/schema'
import { type Key, useI18n } from '../i18n'
import { Button } from '../ui/Button'
import { Stack } from '../ui/Page'
import { ErrorNotice } from '../ui/States'
import { PasswordInput } from '../ui/TextInput'
import { useFound } from './problems'

const minimum = 12
const places = { '/old': 'old', '/new': 'new' } as const
const missing: Key = 'login.missingPassword'
const short: Key = 'login.short'
const differs: Key = 'login.againWrong'

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
  const { t } = useI18n()
  const form = useForm<Fields>({ defaultValues: { old: '', new: '', again: '' }, mode: 'onBlur', reValidateMode: 'onChange' })
  const { isSubmitting } = form.formState
  const { place, say } = useFound(form, places)
  const [refused, setRefused] = useState<{ error: unknown; rest: Problem[] } | null>(null)
  const id = useId()
  const submit = form.handleSubmit(async (v) => {
    setRefused(null)
    try {
      await call('PUT /session/password', { body: { old: v.old, new: v.new } })
      form.reset()
      onDone()
    } catch (error) {
      const { placed, rest } = place(error)
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
          {...form.register('old', { required: missing })}
          error={say('old')}
        />
        <PasswordInput
          label={t('login.newPassword')}
          help={t('login.passwordHelp')}
          autoComplete="new-password"
          {...form.register('new', {
            minLength: { value: minimum, message: short },
            required: short,
          })}
          error={say('new', { min: minimum })}
        />
        <PasswordInput
          label={t('login.again')}
          autoComplete="new-password"
          {...form.register('again', { validate: (again, all) => again === all.new || differs })}
          error={say('again')}
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
