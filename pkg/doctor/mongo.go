package doctor

import "strings"

// WhyNoMongoDB says in words what an error of mongodb.Open means, and what to do; key is
// where the URL is set. The rest of the driver's error, a page about its view of the
// servers, is left out.
func WhyNoMongoDB(err error, key string) (said, mend string) {
	mend = "see that MongoDB runs, and that " + key + " names it with the right user and password"
	text, ours := strings.CutPrefix(err.Error(), "mongodb: ")
	if !ours {
		return text, mend
	}
	text, _, _ = strings.Cut(text, ": ")
	said, what, _ := strings.Cut(text, "; ")
	if what != "" {
		mend = what + " (" + key + ")"
	}
	return said, mend
}
