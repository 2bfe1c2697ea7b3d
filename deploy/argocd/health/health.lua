-- How Argo CD is to see an object of applink.dev. Written once: the kustomization beside it gives it to each kind.
--   Healthy      Ready is True for the spec as it is
--   Suspended    somebody must open the OAuth link
--   Degraded     Stalled: somebody must act, the message says how
--   Progressing  all else, and whatever is being deleted
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
