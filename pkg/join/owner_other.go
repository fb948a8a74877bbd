//go:build !unix

package join

// giveTo does nothing: files of other systems belong to their folder.
func giveTo(string, string) error { return nil }
