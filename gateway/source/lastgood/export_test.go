package lastgood

// OnSync calls f before each sync of a folder, which does not happen if f fails.
func (s *Source) OnSync(f func(dir string) error) {
	sync := s.sync
	s.sync = func(dir string) error {
		if err := f(dir); err != nil {
			return err
		}
		return sync(dir)
	}
}
