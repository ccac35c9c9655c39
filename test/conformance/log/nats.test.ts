import { logConformance } from './suite.ts';

logConformance('nats');
