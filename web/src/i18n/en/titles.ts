/** What stands in the frame and on other pages of the areas that come later. */
export const titles = {
  api: 'API',
  key: 'Key',
  keys: 'Keys',
  newApi: 'New API',
  newKey: 'New key',
  noApi: 'No API',
  request: 'Request',
  requests: 'Requests',
  revision: 'Revision',
  revisions: 'Revisions',
} as const
