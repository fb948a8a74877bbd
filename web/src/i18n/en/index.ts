import { api } from './api'
import { apis } from './apis'
import { errors } from './errors'
import { fields } from './fields'
import { form } from './form'
import { gateways } from './gateways'
import { keys } from './keys'
import { login } from './login'
import { me } from './me'
import { newApi } from './new-api'
import { overview } from './overview'
import { publish } from './publish'
import { requests } from './requests'
import { revisions } from './revisions'
import { shell } from './shell'
import { state } from './state'
import { ui } from './ui'

/** Every area of the console's texts, one file each. */
export const en = {
  api,
  apis,
  errors,
  fields,
  form,
  gateways,
  keys,
  login,
  me,
  newApi,
  overview,
  publish,
  requests,
  revisions,
  shell,
  state,
  ui,
}
