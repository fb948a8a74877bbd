import { apis } from './apis'
import { errors } from './errors'
import { form } from './form'
import { gateways } from './gateways'
import { login } from './login'
import { me } from './me'
import { overview } from './overview'
import { publish } from './publish'
import { shell } from './shell'
import { state } from './state'
import { titles } from './titles'
import { ui } from './ui'

/** The areas that every page may need, one file each; further ones come with the pages that use them, see ../areas.ts. */
export const en = {
  apis,
  errors,
  form,
  gateways,
  login,
  me,
  overview,
  publish,
  shell,
  state,
  titles,
  ui,
}
