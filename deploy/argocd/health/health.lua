-- Health check for Argo CD. The kustomization in this directory uses it for each kind of applink.dev.
--   Healthy      Ready is True for the current spec
--   Suspended    somebody must open the consent link
--   Degraded     Stalled: somebody must act; the message says how
--   Progressing  everything else, and resources that are being deleted
local hs = {status = "Progressing", message = "waiting for the operator"}
local status = obj.status or {}
local ready, stalled = nil, false
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Ready" then
    ready = condition
  elseif condition.type == "Stalled" then
    stalled = condition.status == "True"
  end
end
if ready == nil then
  return hs
end
hs.message = ready.message
if obj.metadata.deletionTimestamp ~= nil or status.observedGeneration ~= obj.metadata.generation then
  return hs
end
if ready.reason == "AwaitingUser" then
  hs.status = "Suspended"
elseif stalled then
  hs.status = "Degraded"
elseif ready.status == "True" then
  hs.status = "Healthy"
end
return hs
