module github.com/sluice-gateway/sluice/dashboard

go 1.26.0

require (
	github.com/sluice-gateway/sluice/pkg v0.0.0
	github.com/sluice-gateway/sluice/web v0.0.0
)

require golang.org/x/text v0.43.0

replace github.com/sluice-gateway/sluice/pkg => ../pkg

replace github.com/sluice-gateway/sluice/web => ../web
