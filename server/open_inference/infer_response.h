// Scores and features as the tensors of a ModelInfer response. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/serve/scores.h"
#include "inference/grpc_predict_v2.pb.h"
#include "server/open_inference/infer_request.h"

namespace modelpatch::server {

// How many of the best classes must be known to answer `request`; 0: all.
int64_t NeededClasses(const InferRequest& request);

// An upper bound of the bytes of the outputs' contents, for a request with classes.
int64_t ResponseBytes(const InferRequest& request, const std::vector<std::string>& class_names);

// Fills the outputs of a request with classes. `images`: for each image its NeededClasses best scores, best first.
void FillScores(const InferRequest& request, const std::vector<std::string>& class_names,
                const std::vector<std::vector<serve::ClassScore>>& images, ::inference::ModelInferResponse* response);

// Fills the output of a request without classes: rows of `width` floats.
void FillFeatures(const InferRequest& request, int64_t width, std::span<const float> values,
                  ::inference::ModelInferResponse* response);

}  // namespace modelpatch::server
