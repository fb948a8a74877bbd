export const revisions = {
  title: 'Revisions',
} as const
