package mongo

import (
	"context"
	"errors"
	"slices"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/sluice-gateway/sluice/dashboard/publish"
)

const (
	duplicateKey = 11000 // the server's code for a value that a unique index has
	contentBatch = 500   // texts that one call stores or reads
)

// contents are texts by their sums; they are never changed and never removed.
type contents struct{ c *driver.Collection }

var _ publish.Contents = contents{}

type contentDoc struct {
	SHA  string `bson:"_id"`
	Text []byte `bson:"text"`
}

func (s contents) Put(ctx context.Context, texts map[string][]byte) error {
	if len(texts) == 0 {
		return ctx.Err()
	}
	docs := make([]contentDoc, 0, len(texts))
	for sha, text := range texts {
		docs = append(docs, contentDoc{sha, notNil(text)})
	}
	for part := range slices.Chunk(docs, contentBatch) {
		err := call(ctx, "storing contents", func(ctx context.Context) error {
			_, err := s.c.InsertMany(ctx, part, options.InsertMany().SetOrdered(false))
			if onlyDuplicates(err) {
				return nil
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// onlyDuplicates tells whether all that went wrong is that some of the documents
// exist.
func onlyDuplicates(err error) bool {
	var bulk driver.BulkWriteException
	if !errors.As(err, &bulk) || bulk.WriteConcernError != nil {
		return false
	}
	for _, e := range bulk.WriteErrors {
		if e.Code != duplicateKey {
			return false
		}
	}
	return true
}

func (s contents) Get(ctx context.Context, sums []string) (map[string][]byte, error) {
	texts := make(map[string][]byte, len(sums))
	if len(sums) == 0 {
		return texts, ctx.Err()
	}
	for part := range slices.Chunk(sums, contentBatch) {
		err := call(ctx, "reading contents", func(ctx context.Context) error {
			docs, err := find[contentDoc](ctx, s.c, eq("_id", eq("$in", part)), nil)
			for _, d := range docs {
				texts[d.SHA] = notNil(d.Text)
			}
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return texts, nil
}

// notNil keeps an empty text apart from none, which is stored as null.
func notNil(text []byte) []byte {
	if text == nil {
		return []byte{}
	}
	return text
}
