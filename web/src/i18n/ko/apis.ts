import type { apis as en } from '../en/apis'
import type { Translation } from '../types'

export const apis: Translation<typeof en> = {
  title: 'API',
}
