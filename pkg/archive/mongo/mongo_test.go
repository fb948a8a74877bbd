package mongo_test

import (
	"testing"

	"github.com/sluice-gateway/sluice/pkg/archive/archivetest"
	"github.com/sluice-gateway/sluice/pkg/archive/mongo"
	"github.com/sluice-gateway/sluice/pkg/testenv"
)

func TestContract(t *testing.T) {
	archivetest.Run(t, func(t *testing.T, o archivetest.Options) (writer, reader archivetest.Archive) {
		db := testenv.MongoDB(t)
		return mongo.New(db, mongo.Options{Retention: o.Retention, Now: o.Now}), mongo.New(db, mongo.Options{})
	})
}
