// classify --stream: many images over one stream, one line or object for each.
#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "modelpatch/v1/inference_service.pb.h"

namespace modelpatch::client {

class Session;

// Classifies the files `images` as `header` says, and prints each result as it comes. An image that cannot be read or
// classified is said so on its line, and in the error at the end.
absl::Status ClassifyBulk(Session& session, const v1::StreamClassifyHeader& header,
                          const std::vector<std::string>& images);

// "cat.png\tcat 83.1%\tdog 12.0%", or "cat.png\terror: …".
std::string BulkLine(const v1::StreamClassifyResult& result);

}  // namespace modelpatch::client
