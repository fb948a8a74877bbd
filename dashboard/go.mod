module github.com/sluice-gateway/sluice/dashboard

go 1.26.0

require (
	github.com/sluice-gateway/sluice/pkg v0.0.0
	github.com/sluice-gateway/sluice/web v0.0.0
)

require golang.org/x/crypto v0.58.0 // indirect

replace github.com/sluice-gateway/sluice/pkg => ../pkg

replace github.com/sluice-gateway/sluice/web => ../web
