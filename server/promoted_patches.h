// Promoted patches stay materialised: whoever asks for one never waits for its weights.
#pragma once

#include "core/base/log.h"
#include "core/serve/inference_engine.h"
#include "core/store/metadata_store.h"
#include "server/mixture_resolver.h"

namespace modelpatch::server {

// Pins what stands under an alias now, and unpins what no longer does. Blocks on the store; the weights are made in the
// background. What cannot be read is logged and left out.
void PinPromotedPatches(store::MetadataStore& metadata, const MixtureResolver& resolver, serve::InferenceEngine& engine,
                        base::Logger& log);

}  // namespace modelpatch::server
