package app

import (
	"cmp"
	"context"
	"path/filepath"

	"github.com/sluice-gateway/sluice/pkg/doctor"
	"github.com/sluice-gateway/sluice/pkg/mongodb"
	"github.com/sluice-gateway/sluice/pump/sink/mongo"
)

// sinkChecks say whether a sink can be reached, each type in its way: folders are
// written to, servers asked, and listeners looked at beside the pump's own ports. None
// is opened, since that would make files and take ports from a pump that runs.
func sinkChecks(c Config, s Sink, ports *doctor.Ports) []doctor.Check {
	name := "sink " + s.Name
	folder := func(option, dir, standard string) []doctor.Check {
		return []doctor.Check{doctor.Folder{
			Name: name, Setting: "sinks " + s.Name + "." + s.Type + "." + option, Path: cmp.Or(dir, standard), Others: 0o022, Least: leastRoom, For: "records",
		}.Check()}
	}
	switch s.Type {
	case "sqlite":
		return folder("dir", s.SQLite.Dir, filepath.Join(c.Data, "records"))
	case "jsonl":
		return folder("dir", s.JSONL.Dir, filepath.Join(c.Data, "jsonl", s.Name))
	case "mongodb":
		return []doctor.Check{{Name: name, Run: func(ctx context.Context) doctor.Finding { return lookAtMongo(ctx, s) }}}
	case "prometheus":
		ports.Others = append(ports.Others, doctor.Port{Setting: "sinks " + s.Name + ".prometheus.listen.address", Address: cmp.Or(s.Prometheus.Listen.Address, ":9464")})
		return nil
	case "stdout":
		return []doctor.Check{{Name: name, Run: func(context.Context) doctor.Finding {
			return doctor.Well("The sink %s writes to where the pump's output goes.", s.Name)
		}}}
	}
	return []doctor.Check{{Name: name, Run: func(context.Context) doctor.Finding {
		return doctor.Warning("see /hello of a pump that runs", "Sinks of the type %s cannot be looked at from here.", s.Type)
	}}}
}

// lookAtMongo asks the server of a sink, and never quotes its URL.
func lookAtMongo(ctx context.Context, s Sink) doctor.Finding {
	db, disconnect, err := mongodb.Open(ctx, mongodb.Config{
		URL: s.MongoDB.URL, Database: cmp.Or(s.MongoDB.Database, mongo.DefaultDatabase), ServerSelectionTimeout: s.MongoDB.ServerSelectionTimeout,
	})
	if err != nil {
		said, mend := doctor.WhyNoMongoDB(err, "mongodb.url of the sink")
		return doctor.Failure(mend+"; meanwhile the streams hold what fits streams.budget", "MongoDB of the sink %s cannot be reached: %s.", s.Name, said)
	}
	_ = disconnect(context.WithoutCancel(ctx)) // nothing was written
	return doctor.Well("MongoDB of the sink %s answers; its records are in the database %s.", s.Name, db.Name())
}
