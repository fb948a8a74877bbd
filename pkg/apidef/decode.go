package apidef

import (
	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/strictjson"
)

// Decode reads a definition's text strictly, at most 4 MiB and 64 levels deep:
// unknown, planned and duplicate members, wrong types, invalid UTF-8 and
// trailing data are refused with a JSON pointer each (see strictjson for the
// codes). Members named x-… are ignored; the text keeps them. It checks shape
// only: Validate and ValidateFilters have the rules. With problems the
// definition is nil.
func Decode(text []byte) (*Definition, []fault.Problem) {
	return strictjson.Decode[Definition](text, strictjson.Options{Extensions: true, Planned: planned})
}

// DecodeStored reads a definition that was accepted before: as Decode, but
// members that this version does not read are passed over.
func DecodeStored(text []byte) (*Definition, []fault.Problem) {
	return strictjson.DecodeStored[Definition](text, strictjson.Options{Extensions: true, Planned: planned})
}

// MergePatch applies an RFC 7396 merge patch to a definition's stored text. The
// order of members and every byte that the patch does not concern stay, so that
// open-and-save changes nothing.
func MergePatch(text, patch []byte) ([]byte, error) { return strictjson.MergePatch(text, patch) }
