module github.com/sluice-gateway/sluice/scripts

go 1.26.0

require golang.org/x/tools v0.52.0

require go.yaml.in/yaml/v3 v3.0.6
