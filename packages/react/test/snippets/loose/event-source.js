const es = new EventSource('/api/casts/CAST_ID/events');

es.addEventListener('status', (e) => {
  console.log('Status:', JSON.parse(e.data));
});

es.addEventListener('complete', (e) => {
  console.log('Complete:', JSON.parse(e.data));
  es.close();
});

es.onerror = (e) => {
  console.error('Error:', e);
};
