// The library's one import: every room that programs use.
@_exported import CallosumNetworks
@_exported import CallosumTensors
