"""The only place that knows private names of Faust and aiokafka."""
