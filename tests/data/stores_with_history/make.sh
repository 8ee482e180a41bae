#!/usr/bin/env bash
# Make a store of a kind (sqlite or csv) with a history, by the `mdfactory` and `python` on PATH.
#   make.sh KIND EXAMPLE TARGET
set -euo pipefail
kind=$1 example=$(realpath "$2") target=$(realpath -m "$3")
campaign=/campaigns/water_methanol # stands in the records
work=$(mktemp -d)
trap 'rm -rf "$work" "$campaign"' EXIT
export MDFACTORY_CONFIG_DIR=$work/config MDFACTORY_DATA_DIR=$target MDFACTORY_CACHE_DIR=$work/cache
export LOGNAME=chemist
mkdir -p "$target" "$work/config" "$(dirname "$campaign")"
cp -r "$example" "$campaign"
printf '[database]\nTYPE = %s\n' "$kind" >"$work/config/config.ini"

mdfactory -q sync init all
mdfactory -q sync push systems "$campaign"
mdfactory -q sync push artifacts "$campaign"
frame=$campaign/CC4D89E0997487E23A5CA417BC302361B5440904/.analysis/density_timeseries.parquet
python - "$frame" <<'PYTHON' # a frame that text alone does not give back
import sys

import pyarrow as pa
import pyarrow.parquet as pq

frame = pq.read_table(sys.argv[1])
phases = pa.array([["liquid", "vapour"][row % 2] for row in range(frame.num_rows)])
pq.write_table(frame.append_column("phase", phases.dictionary_encode()), sys.argv[1])
PYTHON
mdfactory -q sync push analysis "$campaign"
touch "$campaign/2071DE6353CF75B3049856E059488D3CE307F956/prod.xtc" # in production now
mdfactory -q sync push all "$campaign" --update
mdfactory -q sync clear analysis --analyses --hash CC4D --yes
mdfactory -q sync relocate "$campaign" /archive/water_methanol
mdfactory -q sync undo
mdfactory -q sync clear systems --hash 24BD --yes
mdfactory -q sync push all "$campaign" --force
